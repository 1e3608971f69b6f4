"""``dpps data why`` and ``dpps site why``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dpps.cli.output import emit_json, json_option, state_folder, state_option, visible

if TYPE_CHECKING:
    from dpps.data.why.findings import Explanation

__all__ = ["data_why", "site_why"]

_COLOURS = {"good": "green", "note": "blue", "waits": "yellow", "blocks": "red"}


@click.command("why")
@click.argument("name")
@json_option
@state_option
def data_why(name: str, as_json: bool) -> int:
    """Explain where the file or dataset NAME is, where it should be, and what happens next and when."""
    from dpps.composition.principals import local_principal
    from dpps.composition.why import open_why
    from dpps.data.why.observing import why
    from dpps.domain.errors import NotFound, Unavailable

    folder = state_folder()
    with open_why(folder) as parts:
        explanation = why(local_principal(folder), parts, name)
    _show(explanation, as_json=as_json)
    if explanation.unanswered:
        return Unavailable.exit_code
    return 0 if explanation.known else NotFound.exit_code


@click.command("why")
@click.argument("rse")
@json_option
@state_option
def site_why(rse: str, as_json: bool) -> int:
    """Explain the state of the site RSE, and what waits for it."""
    from dpps.composition.principals import local_principal
    from dpps.composition.why import open_why
    from dpps.data.why.observing import why_site
    from dpps.domain.errors import Unavailable

    folder = state_folder()
    with open_why(folder) as parts:
        explanation = why_site(local_principal(folder), parts, rse)
    _show(explanation, as_json=as_json)
    return Unavailable.exit_code if explanation.unanswered else 0


def _show(explanation: Explanation, *, as_json: bool) -> None:
    if as_json:
        emit_json(
            {
                "subject": explanation.subject,
                "verdict": explanation.verdict.value,
                "unanswered": list(explanation.unanswered),
                "findings": [{**asdict(one), "weight": one.weight.value} for one in explanation.findings],
            }
        )
        return
    click.echo(f"{visible(explanation.subject)}: {explanation.verdict.value}")
    for one in explanation.findings:
        mark = click.style(f"{one.weight.value:7}", fg=_COLOURS[one.weight.value])
        click.echo(f"{mark} {visible(one.fact)}")
        for label, text in (("because", one.cause), ("next", one.next), ("when", one.when)):
            if text:
                click.echo(f"        {label}: {visible(text)}")
