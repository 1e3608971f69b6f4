"""Entry point: finds the command, runs it, and turns errors into one clear message and an exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from dpps.cli.lazy import CommandTable, LazyGroup

__all__ = ["main"]

_COMMANDS: CommandTable = {
    "up": ("dpps.cli.system", "up", "Start the whole system and wait until it is ready."),
    "down": ("dpps.cli.system", "down", "Stop the system, cleanly and completely."),
    "status": ("dpps.cli.system", "status", "Show each service: state and why, memory, uptime, address."),
    "logs": ("dpps.cli.system", "logs", "Show or follow the logs of the services."),
    "doctor": ("dpps.cli.system", "doctor", "Say what is missing and the command that mends it."),
    "ingest": ("dpps.cli.ingest", "ingest", "Take files from a hand-over folder into the archive."),
    "data": ("dpps.cli.data", "data", "List, find, inspect and retrieve archived files."),
    "site": ("dpps.cli.site", "site", "Look at sites; drain, pause and resume them."),
    "transfer": ("dpps.cli.transfer", "transfer", "Look at transfers; limit, share and pause them."),
    "production": ("dpps.cli.production", "production", "Submit, watch and steer productions."),
    "demo": ("dpps.cli.demo", "demo", "Send files through the whole system and report."),
}


class _Commands(LazyGroup):
    """All commands; an outage gets the reason that the disk may hold."""

    def invoke(self, ctx: click.Context) -> Any:
        from dpps.domain.errors import Unavailable

        try:
            return super().invoke(ctx)
        except Unavailable as error:
            from dpps.cli.full_disk import explained
            from dpps.composition.state import default_state_folder

            raise explained(error, ctx.obj or default_state_folder()) from error


@click.group(cls=_Commands, table=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="DPPS_STATE",
    help="State folder of the system (environment: DPPS_STATE; default: the user's state folder).",
)
@click.version_option(package_name="dpps", message="dpps %(version)s")
@click.pass_context
def cli(ctx: click.Context, state: Path | None) -> None:
    """Data Processing and Preservation System of the Cherenkov Telescope Array Observatory."""
    ctx.obj = state


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exit with the code of the error, if any."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from dpps.domain.errors import DppsError

    as_json = _wants_json(arguments)
    try:
        result: Any = cli.main(args=arguments, prog_name="dpps", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as wrong:
        _show_usage_error(wrong, as_json=as_json)
        return wrong.exit_code
    except DppsError as error:
        from dpps.cli.output import show_error

        show_error(error, as_json=as_json)
        return error.exit_code
    return result if isinstance(result, int) else 0


def _show_usage_error(wrong: click.ClickException, *, as_json: bool) -> None:
    """Print what is wrong with the command line."""
    if not as_json:
        wrong.show()
        return
    from dpps.cli.output import show_error
    from dpps.domain.errors import InvalidInput

    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    command = context.command_path if context else "dpps"
    error = InvalidInput(wrong.format_message(), code="usage", next_step=f"run: {command} --help")
    show_error(error, as_json=True)


def _wants_json(arguments: list[str] | None) -> bool:
    return "--json" in (sys.argv[1:] if arguments is None else arguments)
