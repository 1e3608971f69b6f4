"""The one table of services: what runs, how, in which order, and how we know that it is ready."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

from dpps.composition.instance import Instance, StorageKind
from dpps.composition.state import StateFolder
from dpps.ops import probes
from dpps.ops.postgres import server_command
from dpps.ops.programs import environment_python, memcached, postgres_programs, service_user, within_reach
from dpps.ops.service import Service, ServiceState
from dpps.ops.xrootd import prepared_server, service_name

__all__ = ["ENCRYPTED_SERVICES", "ENDPOINT_NAMES", "OWN_SERVICES", "RUCIO_SERVICES", "services"]

RUCIO_SERVICES = {
    "rucio-server": ("dpps.services.rucio_server", "catalogue of files, replicas and rules (Rucio REST API)"),
    "rucio-daemons": ("dpps.services.rucio_daemons", "keeps the rules: copies, deletions, repairs"),
}
OWN_SERVICES = {
    "transfers": ("dpps.services.transfers", "moves bytes between storages (FTS3 REST API)"),
    "ingest": ("dpps.services.ingest", "takes handed-over files into the archive"),
    "preservation": ("dpps.services.preservation", "keeps the policy and audits every copy"),
    "workload": ("dpps.services.workload", "runs productions: transformations, tasks, jobs"),
}
_NEEDS = {
    "rucio-server": ("postgres", "cache"),
    "rucio-daemons": ("postgres", "cache"),
    "transfers": ("postgres",),
    "ingest": ("postgres", "rucio-server"),
    "preservation": ("postgres", "rucio-server"),
    "workload": ("postgres", "rucio-server"),
}
ENCRYPTED_SERVICES = frozenset({"transfers"})
"""Services that speak HTTPS and ask for the caller's certificate."""
ENDPOINT_NAMES = ("postgres", "cache", *RUCIO_SERVICES, *OWN_SERVICES, "supervisor")


def services(folder: StateFolder, instance: Instance) -> tuple[Service, ...]:
    """Return the table for one system.

    Raises
    ------
    NotFound
        When a program or an environment that it cannot do without is missing.
    """
    catalogue = environment_python("rucio")
    rows = [_postgres(folder, instance), _cache(instance), *_storages(folder, instance)]
    for name, (module, purpose) in {**RUCIO_SERVICES, **OWN_SERVICES}.items():
        python = str(catalogue) if name in RUCIO_SERVICES else sys.executable
        endpoint = instance.endpoint(name)
        rows.append(
            Service(
                name=name,
                purpose=purpose,
                command=(python, "-m", module, "--state", str(folder.root)),
                environment=_environment(name),
                depends_on=_NEEDS[name],
                endpoint=endpoint,
                probe=probes.health_probe(endpoint, folder),
            )
        )
    return tuple(rows)


def _environment(name: str) -> dict[str, str]:
    # Compiled modules are kept even where the caller's shell says otherwise: they halve the time to start.
    common = {"PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": ""}
    if name in RUCIO_SERVICES:
        # Threads that hold memory arenas of their own would double the size of the server.
        return {**common, "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
    programs = os.pathsep.join([f"{sys.prefix}/bin", os.environ.get("PATH", os.defpath)])
    return {**common, "PATH": programs, "MALLOC_ARENA_MAX": "2"}


def _postgres(folder: StateFolder, instance: Instance) -> Service:
    purpose = "databases of catalogue and workload (PostgreSQL)"
    probe = probes.database_probe(folder, instance)
    if instance.database_url:
        return Service(
            name="postgres", purpose=purpose, probe=probe,
            initial=ServiceState.EXTERNAL, reason="run by others",
        )  # fmt: skip
    user = service_user()
    programs = within_reach(postgres_programs(folder.database), user, folder.programs)
    endpoint = instance.endpoint("postgres")
    return Service(
        name="postgres",
        purpose=purpose,
        command=server_command(programs, folder.database, endpoint.port),
        environment={"PGDATA": str(folder.database), "LC_ALL": "C.UTF-8"},
        endpoint=endpoint,
        probe=probe,
        user=user.name if user else None,
        stop_signal=signal.SIGINT,  # "fast": does not wait for clients to leave
        stop_seconds=60.0,
    )


def _storages(folder: StateFolder, instance: Instance) -> Iterator[Service]:
    if instance.storage is not StorageKind.XROOTD:
        return
    for site in instance.sites:
        name, purpose = service_name(site.rse), f"storage of {site.rse} (XRootD)"
        endpoint = instance.endpoints.get(name)
        if endpoint is None:
            yield Service(
                name=name, purpose=purpose, probe=probes.always_ready,
                initial=ServiceState.EXTERNAL, reason=f"run by others: {site.url_prefix}",
            )  # fmt: skip
            continue
        server = prepared_server(folder, site.rse)
        yield Service(
            name=name,
            purpose=purpose,
            command=server.command,
            environment=server.environment,
            endpoint=endpoint,
            probe=probes.encrypted_probe(endpoint, folder),
            user=server.user,
        )


def _cache(instance: Instance) -> Service:
    purpose = "cache of the catalogue (memcached)"
    program = memcached()
    endpoint = instance.endpoints.get("cache")
    if program is None or endpoint is None:
        return Service(
            name="cache", purpose=purpose, probe=probes.always_ready, initial=ServiceState.ABSENT,
            reason="memcached is not installed: large rules take twice as long (apt-get install memcached)",
        )  # fmt: skip
    user = service_user()
    return Service(
        name="cache",
        purpose=purpose,
        command=(
            str(program),
            "-l",
            endpoint.host,
            "-p",
            str(endpoint.port),
            "-m",
            "32",
            "-c",
            "256",
            "-t",
            "1",
        ),
        endpoint=endpoint,
        probe=probes.port_probe(endpoint),
        user=user.name if user else None,
    )
