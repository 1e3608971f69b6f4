"""The stock Rucio daemons in one process, without their start-up waits.

Runs in the ``rucio`` environment: ``python -m dpps.services.rucio_daemons --state DIR``.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

from dpps.composition.instance import Endpoint, Instance
from dpps.composition.releases import build_deletion_guard
from dpps.composition.telemetry import configure_logging
from dpps.services.leaving import run_and_leave
from dpps.services.rucio_folders import guard_deletions
from dpps.services.rucio_loop import DaemonLoop, Pace, Pass
from dpps.services.rucio_process import prepare_process
from dpps.services.rucio_releases import guard_releases

__all__ = ["main"]

_SERVICE = "rucio-daemons"
_BULK = 1000
_GROUP_BULK = 100
_WATCH_SECONDS = 0.5
_HEARTBEAT_SECONDS = 60
_MESSAGES_SECONDS = 600.0
_STOP_SECONDS = 10.0

_PROMPT = Pace()
_PATIENT = Pace(slowest_seconds=30.0)
"""For work that may be impossible now, like a rule without a source."""

logger = structlog.get_logger(__name__)


def _with_heartbeat(name: str, run_once: Callable[..., object], **settings: object) -> Pass:
    """Return a pass that keeps one heartbeat for ever instead of making one each time."""
    from rucio.daemons.common import HeartbeatHandler

    heartbeat = HeartbeatHandler(executable=name, renewal_interval=_HEARTBEAT_SECONDS)
    heartbeat.__enter__()
    return partial(run_once, heartbeat_handler=heartbeat, activity=None, **settings)


def _judge() -> dict[str, Callable[[], Pass]]:
    from rucio.daemons.judge import cleaner, evaluator, injector, repairer

    from dpps.services.rucio_work import BriefPauses, look_at_storages_often

    look_at_storages_often()

    def prepare(module: Any, **settings: object) -> Callable[[], Pass]:
        return partial(_with_heartbeat, module.DAEMON_NAME, module.run_once, **settings)

    return {
        "judge-evaluator": prepare(evaluator, paused_dids=BriefPauses(), did_limit=_BULK),
        "judge-injector": prepare(injector, paused_rules=BriefPauses()),
        "judge-repairer": prepare(repairer, paused_rules=BriefPauses(), delta=-1),
        "judge-cleaner": prepare(cleaner, paused_rules=BriefPauses()),
    }


def _conveyor() -> dict[str, Callable[[], Pass]]:
    from rucio.daemons.conveyor import finisher as finishing
    from rucio.daemons.conveyor.poller import poller
    from rucio.daemons.conveyor.submitter import submitter

    from dpps.services.rucio_work import INTERRUPTED_SUBMISSION

    finishing.FAILED_DURING_SUBMISSION_DELAY = INTERRUPTED_SUBMISSION
    common = {"once": True, "partition_wait_time": 0}
    return {
        "conveyor-submitter": lambda: partial(submitter, bulk=_BULK, group_bulk=_GROUP_BULK, **common),
        "conveyor-poller": lambda: partial(poller, older_than=0, db_bulk=_BULK, **common),
        "conveyor-finisher": lambda: partial(finishing.finisher, db_bulk=_BULK, **common),
    }


def _cleaners() -> dict[str, Callable[[], Pass]]:
    from rucio.daemons.badreplicas import minos, necromancer
    from rucio.daemons.reaper import reaper
    from rucio.daemons.undertaker import undertaker

    from dpps.services.rucio_work import BriefNotes, BriefPauses

    reaper.REGION = BriefNotes(reaper.REGION, prefix="pause_deletion_")
    deletion: dict[str, object] = {
        "rses": [], "include_rses": None, "exclude_rses": None, "vos": None, "chunk_size": 100,
        "greedy": False, "scheme": None, "delay_seconds": 60,
        "auto_exclude_threshold": 100, "auto_exclude_timeout": 600,
    }  # fmt: skip
    return {
        "undertaker": partial(
            _with_heartbeat,
            undertaker.DAEMON_NAME,
            undertaker.run_once,
            paused_dids=BriefPauses(),
            chunk_size=100,
        ),
        "reaper": partial(_with_heartbeat, reaper.DAEMON_NAME, reaper.run_once, **deletion),
        "minos": partial(_with_heartbeat, minos.DAEMON_NAME, minos.run_once, bulk=_BULK),
        "necromancer": partial(_with_heartbeat, necromancer.DAEMON_NAME, necromancer.run_once, bulk=_BULK),
    }


def _abacus() -> dict[str, Callable[[], Pass]]:
    from rucio.daemons.abacus import account, collection_replica, rse

    return {
        "abacus-rse": partial(_with_heartbeat, rse.DAEMON_NAME, rse.run_once),
        "abacus-account": partial(_with_heartbeat, account.DAEMON_NAME, account.run_once),
        "abacus-collection-replica": partial(
            _with_heartbeat, collection_replica.DAEMON_NAME, collection_replica.run_once, limit=_BULK
        ),
    }


class _Process:
    """All loops of this process, and what there is to say about them."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.loops: dict[str, DaemonLoop] = {}
        self.waiting_for = "the catalogue's schema and first contents"

    def complaint(self) -> str | None:
        """Return why this service is not ready, or None."""
        complaints = [complaint for loop in self.loops.values() if (complaint := loop.complaint())]
        if self.waiting_for:
            return f"waits for {self.waiting_for}"
        return "; ".join(complaints) or None

    def run(self) -> None:
        """Wait for the catalogue, start the loops, wake them when they have work; until told to stop."""
        from dpps.services.rucio_cache import keep_configuration_near
        from dpps.services.rucio_work import catalogue_is_ready, forget_heartbeats

        while not self._quietly(catalogue_is_ready) and not self.stop.wait(_WATCH_SECONDS):
            pass
        if self.stop.is_set():
            return
        forget_heartbeats()
        keep_configuration_near()
        self._start(_PROMPT, {**_judge(), **_conveyor(), **_cleaners(), **_abacus()})
        self.waiting_for = ""
        self._watch()
        for loop in self.loops.values():
            loop.wake()
        for loop in self.loops.values():
            loop.join(_STOP_SECONDS)

    def _start(self, pace: Pace, daemons: Mapping[str, Callable[[], Pass]]) -> None:
        from dpps.services.rucio_work import forget_old_messages

        for name, prepare in daemons.items():
            self.loops[name] = DaemonLoop(name, prepare, _PATIENT if name in _MAY_WAIT else pace, self.stop)
        self.loops["messages"] = DaemonLoop(
            "messages", lambda: forget_old_messages, Pace(idle_seconds=_MESSAGES_SECONDS), self.stop
        )
        for loop in self.loops.values():
            loop.start()

    def _watch(self) -> None:
        from dpps.services.rucio_work import daemons_with_work

        while not self.stop.wait(_WATCH_SECONDS):
            for name in self._quietly(daemons_with_work) or ():
                self.loops[name].wake()

    def _quietly[T](self, question: Callable[[], T]) -> T | None:
        """Ask the database; while it does not answer, say so in the health check and go on asking."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            answer = question()
        except SQLAlchemyError as failure:
            self.waiting_for = f"the database: {str(failure).splitlines()[0]}"
            return None
        if self.loops:
            self.waiting_for = ""
        return answer

    def request_stop(self, modules: Sequence[Any]) -> None:
        """End all passes at their next opportunity."""
        self.stop.set()
        for module in modules:
            module.stop()


_MAY_WAIT = {"judge-repairer", "reaper", "undertaker", "necromancer", "minos"}


def _stoppable_modules() -> list[Any]:
    from rucio.daemons.abacus import account, collection_replica, rse
    from rucio.daemons.badreplicas import minos, necromancer
    from rucio.daemons.conveyor import finisher, poller, submitter
    from rucio.daemons.judge import cleaner, evaluator, injector, repairer
    from rucio.daemons.reaper import reaper
    from rucio.daemons.undertaker import undertaker

    return [
        account, collection_replica, rse, minos, necromancer, finisher, poller, submitter,
        cleaner, evaluator, injector, repairer, reaper, undertaker,
    ]  # fmt: skip


def _serve_health(process: _Process, endpoint: Endpoint) -> None:
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer ``/healthz`` and ``/metrics``."""
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
            elif self.path == "/healthz":
                complaint = process.complaint()
                self._answer(503 if complaint else 200, "text/plain", (complaint or "ok").encode() + b"\n")
            else:
                self._answer(404, "text/plain", b"not found\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Log nothing: probes and scrapes are no news."""

    server = ThreadingHTTPServer((endpoint.host, endpoint.port), Handler)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()


def main(arguments: list[str] | None = None) -> None:
    """Run the daemons until told to stop."""
    folder = prepare_process(_SERVICE, arguments)
    guard_deletions(folder)
    guard_releases(build_deletion_guard(folder))
    process = _Process()
    _serve_health(process, Instance.load(folder).endpoint(_SERVICE))
    modules = _stoppable_modules()
    configure_logging(_SERVICE, level="WARNING")  # at INFO they tell twice a second that they did nothing
    for name in ("dpps", __name__):  # our own lines; this module is "__main__" when it runs
        logging.getLogger(name).setLevel(logging.INFO)
    logger.info("started")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.request_stop(modules))
    process.run()


if __name__ == "__main__":
    run_and_leave(main)
