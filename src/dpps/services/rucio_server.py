"""The catalogue's REST API: the stock Rucio application under gunicorn.

Brings the catalogue to its first contents, then serves. What we add is at the rim: names that start with
``/`` are mended on their way in, ``/healthz`` and ``/metrics`` are answered, logs are ours.
Runs in the ``rucio`` environment: ``python -m dpps.services.rucio_server --state DIR``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.composition.telemetry import configure_logging
from dpps.services.leaving import run_and_leave
from dpps.services.rucio_policy.decisions import WRITERS
from dpps.services.rucio_process import prepare_process

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["MetadataGuard", "NameMender", "ServiceRim", "main"]

_WORKERS = 2
_THREADS = 4
_SERVICE = "rucio-server"


class NameMender:
    """Collapses ``//`` in paths.

    Names start with ``/``; clients send it as ``%2F``, which the server decodes to a second slash and then
    refuses the name.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        environ["PATH_INFO"] = re.sub("/{2,}", "/", environ.get("PATH_INFO", ""))
        return self._application(environ, start_response)


class MetadataGuard:
    """Refuses to delete metadata in protected scopes.

    Of this one call Rucio asks no policy: it lets every account delete every key of every file.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._guarded = re.compile(rf"/dids/(?:{'|'.join(map(re.escape, WRITERS))})/.*/meta/?")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] != "DELETE" or not self._guarded.fullmatch(path):
            return self._application(environ, start_response)
        refusal = {
            "ExceptionClass": "AccessDenied",
            "ExceptionMessage": f"metadata of files in the scope {path.split('/')[2]} are kept",
        }
        start_response("401 Unauthorized", [("Content-Type", "application/json"), *refusal.items()])
        return [json.dumps(refusal).encode()]


class ServiceRim:
    """Answers ``/healthz`` and ``/metrics``, and counts everything else."""

    def __init__(
        self, application: WSGIApplication, health: Callable[[], str | None], metrics: Callable[[], bytes]
    ) -> None:
        from prometheus_client import Counter, Histogram

        self._application = application
        self._own = {"/healthz": self._healthz, "/metrics": self._metrics}
        self._health = health
        self._render = metrics
        self._requests = Counter(
            "dpps_rucio_server_requests", "Requests answered by the catalogue", ["method", "status"]
        )
        self._seconds = Histogram(
            "dpps_rucio_server_request_seconds", "Time from request to answer", ["method"]
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        own = self._own.get(environ.get("PATH_INFO", ""))
        if own is not None:
            return own(start_response)
        method = environ["REQUEST_METHOD"]
        started = time.perf_counter()

        def counted(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            self._requests.labels(method, status.partition(" ")[0]).inc()
            return start_response(status, headers, *rest)

        try:
            return self._application(environ, counted)
        finally:
            self._seconds.labels(method).observe(time.perf_counter() - started)

    def reserve(self, place: Path) -> None:
        """Take the disk space of this process's counters now.

        They are files in memory: on a full disk, growing them later would end the process (SIGBUS).

        Parameters
        ----------
        place : Path
            Folder of the counters of all processes.

        Raises
        ------
        OSError
            When there is no room.
        """
        self._requests.labels("GET", "200")
        self._seconds.labels("GET")
        for path in place.glob(f"*_{os.getpid()}.db"):
            with path.open("r+b") as stream:
                os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)

    def _healthz(self, start_response: StartResponse) -> list[bytes]:
        reason = self._health()
        start_response("503 Service Unavailable" if reason else "200 OK", [("Content-Type", "text/plain")])
        return [(reason or "ok").encode() + b"\n"]

    def _metrics(self, start_response: StartResponse) -> list[bytes]:
        from prometheus_client import CONTENT_TYPE_LATEST

        start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [self._render()]


def _database_health() -> str | None:
    from rucio.db.sqla.session import get_engine
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with get_engine().connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as failure:
        return f"the database does not answer: {str(failure).splitlines()[0]}"
    return None


def _all_workers_metrics() -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _application() -> ServiceRim:
    from rucio.web.rest.flaskapi.v1.main import application

    application.logger.handlers.clear()
    return ServiceRim(application, _database_health, _all_workers_metrics)


def _serve(rim: ServiceRim, instance: Instance, metrics: Path) -> None:
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

    endpoint = instance.endpoint(_SERVICE)

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings = {
                "bind": f"{endpoint.host}:{endpoint.port}",
                "workers": _WORKERS,
                "threads": _THREADS,
                "worker_class": "gthread",
                "preload_app": True,
                "graceful_timeout": 10,
                "timeout": 120,
                "keepalive": 30,
                "logger_class": "dpps.services.rucio_gunicorn.GunicornLogs",
                "post_worker_init": lambda _worker: rim.reserve(metrics),
                "child_exit": _forget_worker,
                "control_socket_disable": True,  # gunicorn 25+ would open a socket in the home folder
            }
            for name, value in settings.items():
                if name in self.cfg.settings:  # older versions lack the last one
                    self.cfg.set(name, value)

        def load(self) -> WSGIApplication:
            return NameMender(MetadataGuard(rim))

    Server().run()


def _forget_worker(_server: object, worker: Any) -> None:
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def main(arguments: list[str] | None = None) -> None:
    """Bootstrap the catalogue and serve it until told to stop."""
    folder = prepare_process(_SERVICE, arguments)
    metrics = _fresh_metrics_folder(folder)
    instance = Instance.load(folder)
    rim = _application()
    configure_logging(_SERVICE)  # Rucio has installed handlers of its own meanwhile

    from rucio.db.sqla.session import get_engine

    from dpps.services.rucio_bootstrap import bootstrap
    from dpps.services.rucio_cache import keep_configuration_near
    from dpps.services.rucio_schemas import trust_own_schemas
    from dpps.services.rucio_work import look_at_storages_often

    bootstrap(folder, instance)
    look_at_storages_often()
    keep_configuration_near()
    trust_own_schemas()
    get_engine().dispose()  # no connection may be shared with the workers, which are forked next
    _serve(rim, instance, metrics)


def _fresh_metrics_folder(folder: StateFolder) -> Path:
    """Give the workers a place to share their counters; must happen before prometheus_client is imported."""
    place = folder.run / "metrics" / _SERVICE
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(place)
    return place


if __name__ == "__main__":
    run_and_leave(main)
