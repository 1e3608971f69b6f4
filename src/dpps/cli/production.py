"""``dpps production``: submit, list, status, watch, explain, cancel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option

if TYPE_CHECKING:
    from dpps.composition.state import StateFolder
    from dpps.workload.planning import Plan
    from dpps.workload.progress import ProductionStatus

__all__ = ["production"]


@click.group()
def production() -> None:
    """Submit, watch, understand and cancel productions."""


@production.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--dry-run", is_flag=True, help="Show the plan: inputs, tasks, names of products; change nothing."
)
@click.option("--wait", is_flag=True, help="Watch until the production has ended.")
@json_option
@state_option
def submit(file: Path, dry_run: bool, wait: bool, as_json: bool) -> int:
    """Submit the production that a YAML FILE describes."""
    plan = _submit(state_folder(), file, dry_run=dry_run)
    if wait and not dry_run:
        return _watch(plan.definition.production, as_json=as_json)
    _show_plan(plan, dry_run=dry_run, as_json=as_json)
    return 0


@production.command("list")
@json_option
@state_option
def list_(as_json: bool) -> None:
    """List the productions, the newest first."""
    from dpps.composition.principals import local_principal
    from dpps.composition.workload import open_work_store
    from dpps.workload.progress import list_productions

    folder = state_folder()
    with open_work_store(folder) as store:
        summaries = list_productions(local_principal(folder), store)
    if as_json:
        emit_json([summary.model_dump(mode="json") for summary in summaries])
        return
    rows = [
        summary.model_dump(mode="json") | {"submitted": f"{summary.created_at:%Y-%m-%d %H:%M}"}
        for summary in summaries
    ]
    columns = ["name", "state", "tasks", "done", "failed", "priority", "submitter", "submitted", "reason"]
    emit_table(columns, rows, empty="there is no production; submit one: dpps production submit FILE")


@production.command()
@click.argument("name")
@json_option
@state_option
def status(name: str, as_json: bool) -> None:
    """Say how far a production is: tasks by state, what runs, what failed and why, what it waits for."""
    from dpps.cli.production_text import status_lines

    answer = _status(state_folder(), name)
    if as_json:
        emit_json(answer.model_dump(mode="json"))
    else:
        click.echo("\n".join(status_lines(answer)))


@production.command()
@click.argument("name")
@json_option
@state_option
def watch(name: str, as_json: bool) -> int:
    """Follow a production to its end; exit code 1 unless everything succeeded."""
    return _watch(name, as_json=as_json)


@production.command()
@click.argument("name")
@json_option
@state_option
def cancel(name: str, as_json: bool) -> None:
    """End a production early: its jobs are withdrawn or ended, products in the archive stay.

    Asks nothing, and changes nothing when it was cancelled before.
    """
    from dpps.cli.production_text import cancellation_lines
    from dpps.composition.principals import local_principal
    from dpps.composition.workload import open_work_store, utc_now
    from dpps.workload.steering import cancel_production

    folder = state_folder()
    with open_work_store(folder) as store:
        answer = cancel_production(local_principal(folder), store, name, now=utc_now())
    if as_json:
        emit_json(answer.model_dump(mode="json"))
    else:
        click.echo("\n".join(cancellation_lines(answer)))


@production.command()
@click.argument("name")
@json_option
@state_option
def explain(name: str, as_json: bool) -> None:
    """Show the history of a production: every state change, when and why."""
    from dpps.composition.principals import local_principal
    from dpps.composition.workload import open_work_store
    from dpps.workload.progress import production_history

    folder = state_folder()
    with open_work_store(folder) as store:
        history = production_history(local_principal(folder), store, name)
    rows = [
        {
            "time": f"{entry.at:%Y-%m-%d %H:%M:%S}",
            "kind": entry.kind,
            "subject": entry.subject,
            "change": f"{entry.before or '(new)'} → {entry.after}",
            "reason": entry.reason,
        }
        for entry in history
    ]
    if as_json:
        emit_json(rows)
    else:
        emit_table(["time", "kind", "subject", "change", "reason"], rows, empty="nothing happened yet")


def _submit(folder: StateFolder, file: Path, *, dry_run: bool) -> Plan:
    from dpps.composition.instance import Instance
    from dpps.composition.principals import local_principal
    from dpps.composition.workload import build_processes, open_planning, open_work_store, utc_now
    from dpps.workload.planning import plan_production
    from dpps.workload.production_file import read_production
    from dpps.workload.submission import submit_production

    vo = Instance.load(folder).vo
    definition, pass_is_given = read_production(file, build_processes())
    principal = local_principal(folder)
    with open_planning(folder) as parts:
        if dry_run:
            return plan_production(
                principal, parts, definition, pass_is_given=pass_is_given, vo=vo, now=utc_now()
            )
        with open_work_store(folder) as store:
            return submit_production(
                principal, store, parts, definition, pass_is_given=pass_is_given, vo=vo, now=utc_now()
            )


def _show_plan(plan: Plan, *, dry_run: bool, as_json: bool) -> None:
    from dpps.cli.production_text import plan_lines
    from dpps.workload.planning import summarize_plan

    if as_json:
        emit_json(summarize_plan(plan) | {"submitted": not dry_run})
        return
    click.echo("\n".join(plan_lines(plan)))
    name = plan.definition.production
    click.echo("nothing was submitted" if dry_run else f"submitted; follow it: dpps production watch {name}")


def _status(folder: StateFolder, name: str) -> ProductionStatus:
    from dpps.composition.principals import local_principal
    from dpps.composition.workload import open_work_store
    from dpps.workload.progress import production_status

    with open_work_store(folder) as store:
        return production_status(local_principal(folder), store, name)


def _watch(name: str, *, as_json: bool) -> int:
    from dpps.cli.production_text import status_lines
    from dpps.cli.production_watch import follow
    from dpps.composition.principals import local_principal
    from dpps.composition.workload import open_work_store

    folder = state_folder()
    with open_work_store(folder) as store:
        answer = follow(local_principal(folder), store, name, quiet=as_json)
    if as_json:
        emit_json(answer.model_dump(mode="json"))
    else:
        click.echo("\n".join(status_lines(answer)))
    return 0 if answer.production.state.value == "done" else 1
