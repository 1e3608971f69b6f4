"""``scripts/test-bed``: the commands of the test bed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dpps.composition.state import StateFolder, default_state_folder
from dpps.domain.errors import DppsError
from dpps.testing.bed import TestBed, may_make_networks

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=default_state_folder,
    help="State folder (environment: DPPS_STATE).",
)
@click.pass_context
def commands(context: click.Context, state: Path) -> None:
    """Run storage servers of several data centres, and spoil the networks between them."""
    context.obj = TestBed(StateFolder(state.absolute()))


@commands.command()
@click.option("--loopback", is_flag=True, help="Use the loopback interface even where networks can be made.")
@click.argument("rses", nargs=-1)
@click.pass_obj
def start(bed: TestBed, rses: tuple[str, ...], loopback: bool) -> None:
    """Start the servers of RSES, by default of every site; then run: dpps up --storage xrootd."""
    reason = may_make_networks()
    if reason or loopback:
        click.echo(f"on the loopback interface, without limits: {reason or 'as asked'}")
    bed.start(rses, loopback=loopback)
    _show(bed)


@commands.command()
@click.pass_obj
def stop(bed: TestBed) -> None:
    """End the servers and remove the networks."""
    bed.stop()


@commands.command()
@click.pass_obj
def status(bed: TestBed) -> None:
    """Show each site: address, network, whether it answers, limits."""
    _show(bed)


@commands.command()
@click.argument("rse")
@click.pass_obj
def partition(bed: TestBed, rse: str) -> None:
    """Cut RSE off from everything."""
    bed.partition(rse)


@commands.command()
@click.argument("rse", required=False)
@click.pass_obj
def heal(bed: TestBed, rse: str | None) -> None:
    """Undo partitions and limits of RSE, or of all."""
    bed.heal(rse)


@commands.command()
@click.argument("rse")
@click.option("--rate", help="For example 100mbit.")
@click.option("--delay", help="For example 20ms, one way.")
@click.option("--loss", help="For example 1%.")
@click.pass_obj
def limit(bed: TestBed, rse: str, rate: str | None, delay: str | None, loss: str | None) -> None:
    """Slow RSE down, in both directions."""
    wanted = {"rate": rate, "delay": delay, "loss": loss}
    bed.limit(rse, {name: value for name, value in wanted.items() if value})


def _show(bed: TestBed) -> None:
    for row in bed.status():
        click.echo("  ".join(value for value in row.values() if value))


def main() -> int:
    """Run one command; the exit code is that of the error."""
    try:
        commands.main(standalone_mode=False)
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except DppsError as error:
        click.echo(f"{error.message}\nnext: {error.next_step}", err=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
