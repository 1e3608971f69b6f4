"""``dpps up``, ``down``, ``status``, ``logs``, ``doctor``: the system as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option

if TYPE_CHECKING:
    from dpps.composition.state import StateFolder
    from dpps.domain.principals import Action
    from dpps.ops.status import ServiceStatus, SystemStatus

__all__ = ["doctor", "down", "logs", "status", "up"]

_LEVELS = ("debug", "info", "warning", "error", "critical")


def _system_for(action: Action) -> StateFolder:
    """Return the state folder that the command line names, if the caller may do this with the system."""
    from dpps.composition.principals import local_principal
    from dpps.domain.principals import authorize

    folder = state_folder()
    authorize(local_principal(folder), action, f"the system in {folder.root}")
    return folder


@click.command()
@state_option
@click.option(
    "--only", multiple=True, metavar="SERVICE", help="Start this service and what it needs (repeatable)."
)
@click.option(
    "--database-url",
    envvar="DPPS_DATABASE_URL",
    metavar="URL",
    help="Use a PostgreSQL run by others: postgresql://user:password@host:port/ "
    "(environment: DPPS_DATABASE_URL, which keeps the password off the command line).",
)
@click.option(
    "--storage",
    type=click.Choice(["posix", "xrootd"]),
    help="What the sites' storages are: folders of this machine, or a server each (TLS, third-party copy). "
    "Chosen when the system is first started; posix by default.",
)
@json_option
def up(only: tuple[str, ...], database_url: str | None, storage: str | None, as_json: bool) -> None:
    """Start the whole system and wait until it is ready."""
    from dpps.cli.progress import show_changes
    from dpps.composition.instance import StorageKind
    from dpps.domain.principals import Action
    from dpps.ops.lifecycle import start

    folder = _system_for(Action.OPERATE)
    with show_changes(quiet=as_json) as report:
        kind = StorageKind(storage) if storage else None
        started = start(folder, report=report, only=only, database_url=database_url, storage=kind)
    if as_json:
        emit_json({"already_running": started.already_running, **started.status.model_dump(mode="json")})
        return
    word = "already running" if started.already_running else "ready"
    click.echo(f"{word}: {folder.root}   (stop it with: dpps down --state {folder.root})")


@click.command()
@state_option
@json_option
def down(as_json: bool) -> None:
    """Stop the system, cleanly and completely."""
    from dpps.cli.progress import show_changes
    from dpps.domain.principals import Action
    from dpps.ops.lifecycle import stop

    folder = _system_for(Action.OPERATE)
    with show_changes(quiet=as_json) as report:
        was_running = stop(folder, report=report)
    if as_json:
        emit_json({"was_running": was_running, "state_folder": str(folder.root)})
        return
    click.echo(f"{'stopped' if was_running else 'not running'}: {folder.root}")


@click.command()
@state_option
@json_option
def status(as_json: bool) -> int:
    """Show each service: state and why, memory, uptime, address. Exit code 1 when not all is ready."""
    from dpps.cli.full_disk import is_full
    from dpps.domain.principals import Action
    from dpps.ops.lock import is_held
    from dpps.ops.status import read_status

    folder = _system_for(Action.INSPECT)
    found = read_status(folder, measure=True)
    if found is None:
        starting = is_held(folder)
        if as_json:
            emit_json({"running": False, "starting": starting, "services": []})
        else:
            click.echo("not running yet: it is being started" if starting else "not running")
        return 1
    disk_full = is_full(folder.root)
    ready = found.ready and not disk_full
    if as_json:
        emit_json({"ready": ready, "disk_full": disk_full, **found.model_dump(mode="json")})
    else:
        _show_status(found)
        if disk_full:
            click.echo(f"the disk is full; make room: df -h {folder.root}", err=True)
    return 0 if ready else 1


def _show_status(found: SystemStatus) -> None:
    columns = ("service", "state", "memory", "uptime", "restarts", "address", "why")
    emit_table(columns, [_row(service) for service in found.services], empty="no services")
    measured = [service.memory_bytes or 0 for service in found.services]
    total = sum(measured) + (found.supervisor_memory_bytes or 0)
    click.echo(
        f"memory of the whole system: {total / 1024**2:.0f} MB (proportional set size, supervisor included)",
        err=True,
    )


def _row(service: ServiceStatus) -> dict[str, object]:
    from dpps.cli.progress import duration

    return {
        "service": service.name,
        "state": service.state.value,
        "memory": f"{service.memory_bytes / 1024**2:.0f} MB" if service.memory_bytes else "",
        "uptime": duration(service.uptime_seconds) if service.uptime_seconds is not None else "",
        "restarts": service.restarts,
        "address": service.address,
        "why": service.reason,
    }


@click.command()
@state_option
@click.argument("services", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on showing new lines until interrupted.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=20, show_default=True, help="Last lines of each."
)
@click.option("--level", type=click.Choice(_LEVELS), default="debug", help="Least severity shown.")
@json_option
def logs(services: tuple[str, ...], follow: bool, lines: int, level: str, as_json: bool) -> None:
    """Show or follow the logs of SERVICES (all, when none is named)."""
    from dpps.cli.log_lines import line_printer
    from dpps.domain.principals import Action
    from dpps.ops.logs import follow_lines, last_lines, log_files

    files = log_files(_system_for(Action.INSPECT), services)
    show = line_printer(as_json=as_json)
    for line in last_lines(files, lines):
        if line.at_least(level):
            show(line)
    if follow:
        for line in follow_lines(files):
            if line.at_least(level):
                show(line)


@click.command()
@state_option
@json_option
def doctor(as_json: bool) -> int:
    """Say what is missing and the command that mends it. Exit code 1 when something needed is missing."""
    from dpps.ops.doctor import examine

    findings = examine(state_folder())
    healthy = all(finding.good or not finding.required for finding in findings)
    if as_json:
        emit_json({"healthy": healthy, "findings": [finding.as_dict() for finding in findings]})
        return 0 if healthy else 1
    for finding in findings:
        mark, colour = _MARKS[finding.good, finding.required]
        click.echo(f"{click.style(f'{mark:5}', fg=colour)} {finding.subject:22} {finding.message}")
        if finding.mend and not finding.good:
            click.echo(f"{'':28} {finding.mend}")
    return 0 if healthy else 1


_MARKS = {
    (True, True): ("ok", "green"),
    (True, False): ("ok", "green"),
    (False, True): ("wrong", "red"),
    (False, False): ("could", "yellow"),
}
