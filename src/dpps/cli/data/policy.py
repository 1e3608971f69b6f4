"""``dpps data policy show|check|explain|simulate|apply``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dpps.cli.counting import counting
from dpps.cli.lazy import CommandTable, LazyGroup
from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option

if TYPE_CHECKING:
    from dpps.composition.state import StateFolder
    from dpps.data.policy.checking import PolicyCheck
    from dpps.data.policy.explanation import FileExplanation
    from dpps.data.policy.simulation import DatasetChange
    from dpps.data.ports import Catalogue

__all__ = ["apply", "check", "explain", "policy", "show", "simulate"]

_HERE = "dpps.cli.data.policy"
_COMMANDS: CommandTable = {
    "show": (_HERE, "show", "Print the policy in force."),
    "check": (_HERE, "check", "Say what is wrong with a policy file, and what is doubtful."),
    "explain": (_HERE, "explain", "Say what the policy wants for a file, and why."),
    "simulate": (_HERE, "simulate", "Say what a policy file would change; nothing is done."),
    "apply": (_HERE, "apply", "Install a policy file; the world is moved to it."),
}
_FILE = click.Path(path_type=Path)


@click.group(cls=LazyGroup, table=_COMMANDS)
def policy() -> None:
    """Show, check, explain, simulate and install the preservation policy."""


def _catalogue(folder: StateFolder) -> Catalogue:
    from dpps.composition.data import build_catalogue

    return build_catalogue(folder, "reader")


@click.command()
@json_option
@state_option
def show(as_json: bool) -> None:
    """Print the policy in force: the installed one, else the packaged one."""
    from dpps.composition.data import build_policy
    from dpps.composition.preservation import policy_file
    from dpps.data.policy.reading import packaged_policy_text

    folder = state_folder()
    path = policy_file(folder)
    text = path.read_text() if path.exists() else packaged_policy_text()
    if as_json:
        found = build_policy(folder)
        emit_json({"digest": found.digest, "file": str(path) if path.exists() else None} | _plain(found))
    else:
        click.echo(text, nl=False)


def _plain(found: Any) -> dict[str, Any]:
    plain: dict[str, Any] = found.model_dump(mode="json")
    return plain


@click.command()
@click.argument("file", type=_FILE)
@json_option
@state_option
def check(file: Path, as_json: bool) -> int:
    """Say what is wrong with the policy in FILE, and what is doubtful with the present storages."""
    from dpps.data.policy.checking import check_policy

    found = check_policy(_text(file), _catalogue(state_folder()).storage_elements())
    return _show_check(found, file, as_json=as_json)


def _text(file: Path) -> str:
    from dpps.domain.errors import InvalidInput

    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as wrong:
        why = wrong.strerror if isinstance(wrong, OSError) else "it is no text in UTF-8"
        raise InvalidInput(
            f"{file} cannot be read: {why}",
            code="policy-invalid",
            next_step="name a text file in UTF-8, e.g. what this prints: dpps data policy show",
            path=file,
        ) from wrong


def _show_check(found: PolicyCheck, file: Path, *, as_json: bool) -> int:
    from dpps.domain.errors import InvalidInput

    rows = [
        {"what": what, "line": one.line, "key": one.where, "message": one.message}
        for what, mistakes in (("error", found.errors), ("warning", found.warnings))
        for one in mistakes
    ]
    if as_json:
        emit_json({"valid": found.policy is not None, "findings": rows})
    else:
        emit_table(["what", "line", "key", "message"], rows, empty=f"{file} is a good policy")
    return InvalidInput.exit_code if found.policy is None else 0


@click.command()
@click.argument("words")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@json_option
@state_option
def explain(words: str, limit: int, as_json: bool) -> None:
    """Say what the policy wants for WORDS: an LFN, a dataset, or a metadata expression."""
    from contextlib import closing

    from dpps.composition.data import build_policy
    from dpps.composition.preservation import build_preservation
    from dpps.composition.principals import local_principal
    from dpps.data.policy.explanation import explain_file, files_meant

    folder = state_folder()
    catalogue, in_force = _catalogue(folder), build_policy(folder)
    files = files_meant(local_principal(folder), catalogue, words, limit=limit)
    elements = catalogue.storage_elements()
    rules = {name: catalogue.rules(name) for name in dict.fromkeys(file.lfn.parent for file in files)}
    with closing(build_preservation(folder)) as parts:
        found = [
            explain_file(in_force, file, rules[file.lfn.parent], elements, parts.evidence) for file in files
        ]
    if as_json:
        emit_json([_facts(one) for one in found])
        return
    for one in found:
        rows = [{"what": key, "value": value} for key, value in _lines(one)]
        emit_table(["what", "value"], rows, empty="")


def _facts(one: FileExplanation) -> dict[str, Any]:
    return {
        "lfn": str(one.file.lfn),
        "kind": one.kind.name,
        "why": list(one.why_kind),
        "wanted": [
            {"copies": rule.copies, "at": rule.expression, "from": rule.source_expression}
            for rule in one.wanted
        ],
        "places": list(one.places),
        "distances_km": {pair: None if km is None else round(km) for pair, km in one.distances_km.items()},
        "impossible": one.impossible,
        "copies": [{"rse": copy.rse, "state": copy.state.value} for copy in one.file.replicas],
        "rules": [
            {
                "id": rule.rule_id,
                "copies": rule.copies,
                "at": rule.expression,
                "state": rule.state.value if rule.state else None,
                "kind": rule.kind,
            }
            for rule in one.rules
        ],
        "wrong": [
            {"rse": copy.rse, "outcome": copy.outcome.value, "problem": copy.problem} for copy in one.wrong
        ],
        "missing_copies": one.missing_copies,
        "next": one.next,
    }


def _lines(one: FileExplanation) -> list[tuple[str, str]]:
    wanted = [
        f"{rule.copies} at {rule.expression}, from {rule.source_expression or 'anywhere'}"
        for rule in one.wanted
    ]
    far = [f"{pair} {'unknown' if km is None else f'{km:.0f} km'}" for pair, km in one.distances_km.items()]
    present = [
        f"{rule.copies} at {rule.expression}: {rule.state.value if rule.state else 'unknown'}, "
        f"{f'policy ({rule.kind})' if rule.kind else 'made by people'}"
        for rule in one.rules
    ]
    return [
        ("file", str(one.file.lfn)),
        *(("kind", line) for line in one.why_kind),
        *(("wants", line) for line in wanted),
        ("may be at", ", ".join(one.places)),
        *(("distance", line) for line in far),
        *(("copy", f"{copy.rse} {copy.state.value}") for copy in one.file.replicas),
        *(("wrong", f"{copy.rse} {copy.outcome.value} when last read back") for copy in one.wrong),
        *(("rule", line) for line in present),
        ("next", one.next),
    ]


@click.command()
@click.argument("file", type=_FILE)
@click.option("--under", default="/", show_default=True, help="Look below this path only.")
@json_option
@state_option
def simulate(file: Path, under: str, as_json: bool) -> None:
    """Say what the policy in FILE would change in the world; nothing is done."""
    _show_changes(_simulated(file, under, quiet=as_json), as_json=as_json)


def _simulated(file: Path, under: str, *, quiet: bool) -> list[DatasetChange]:
    from contextlib import closing

    from dpps.composition.preservation import build_preservation
    from dpps.composition.principals import local_principal
    from dpps.data.policy.reading import read_policy
    from dpps.data.policy.simulation import simulate_policy

    folder = state_folder()
    new = read_policy(_text(file), str(file))
    parts = build_preservation(folder)
    with closing(parts), counting("simulate", quiet=quiet) as count:
        parts.prepare()
        return list(
            simulate_policy(
                local_principal(folder),
                _catalogue(folder),
                new,
                first_seen=parts.states.first_seen,
                now=parts.reader.clock(),
                under=under,
                progress=count,
            )
        )


def _show_changes(changes: list[DatasetChange], *, as_json: bool, **facts: object) -> None:
    from dataclasses import asdict

    from dpps.data.policy.simulation import total_volumes

    totals = {
        verb: {place: asdict(volume) for place, volume in volumes.items()}
        for verb, volumes in total_volumes(changes).items()
    }
    if as_json:
        emit_json({**facts, "datasets": [asdict(one) for one in changes], "totals": totals})
        return
    rows = [
        {"dataset": one.dataset, "files": one.files, "rules made": "; ".join(one.rules_made)}
        | {"rules ended": "; ".join(one.rules_ended), "end": _end(one), "trouble": one.impossible}
        for one in changes
    ]
    columns = ["dataset", "files", "rules made", "rules ended", "end", "trouble"]
    emit_table(columns, rows, empty="no dataset would change")
    places = [
        {"copies": verb, "at": place, "number": volume["copies"], "bytes": volume["size_bytes"]}
        for verb, volumes in totals.items()
        for place, volume in sorted(volumes.items())
    ]
    emit_table(["copies", "at", "number", "bytes"], places, empty="no copy would be made or removed")


def _end(change: DatasetChange) -> str:
    """Say what becomes of the end of a dataset; nothing when it stays as it is."""
    if not change.end_change:
        return ""
    before, after = (
        f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else "never" for at in (change.end_before, change.end_after)
    )
    return f"{change.end_change}: {before}" + (f" -> {after}" if before != after else "")


@click.command()
@click.argument("file", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Check and simulate, install nothing.")
@json_option
@state_option
def apply(file: Path, dry_run: bool, as_json: bool) -> int:
    """Check and simulate the policy in FILE, then install it; the preservation service moves the world."""
    from dpps.composition.preservation import install_policy
    from dpps.composition.principals import local_principal
    from dpps.data.policy.checking import check_policy
    from dpps.domain.principals import Action, authorize

    folder = state_folder()
    authorize(local_principal(folder), Action.OPERATE, "the preservation policy")
    found = check_policy(_text(file), _catalogue(folder).storage_elements())
    if found.policy is None:
        return _show_check(found, file, as_json=as_json)
    if not as_json:
        _show_check(found, file, as_json=False)
    changes = _simulated(file, "/", quiet=as_json)
    path = None if dry_run else install_policy(folder, _text(file))
    _show_changes(changes, as_json=as_json, installed=path and str(path), digest=found.policy.digest)
    if path is not None and not as_json:
        click.echo(f"installed: {path}; services notice within seconds", err=True)
    return 0
