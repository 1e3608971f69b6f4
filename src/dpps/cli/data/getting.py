"""``dpps data get``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dpps.cli.counting import counting
from dpps.cli.data.shown import selection_of, selection_options
from dpps.cli.output import json_option, state_folder, state_option, visible

if TYPE_CHECKING:
    from dpps.data.retrieval import RetrievedFile

__all__ = ["get"]


@click.command()
@selection_options
@click.option(
    "-o", "--output", "destination", type=click.Path(path_type=Path), default=Path(), help="Folder."
)
@click.option(
    "--near",
    envvar="DPPS_NEAR",
    help="RSE, site, country code or latitude,longitude to prefer (environment: DPPS_NEAR).",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Copied at a time.")
@click.option(
    "--keep-paths", is_flag=True, help="Keep the folders of names; else all files lie in one folder."
)
@click.option("--dry-run", is_flag=True, help="Only list what would be retrieved.")
@json_option
@state_option
def get(
    names: tuple[str, ...],
    query: str | None,
    under: str,
    dataset: str | None,
    from_file: Path | None,
    destination: Path,
    near: str | None,
    jobs: int,
    keep_paths: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Retrieve files: the nearest good copy of each, with its checksum verified.

    NAMES are files, folders and patterns (quoted: '/ctao/acada/DL0/**/TEL001*'); '-' reads more from standard
    input. Given again after an interruption, the command goes on where it ended.
    """
    from dpps.composition.principals import local_principal
    from dpps.composition.reading import build_retrieval_parts, open_named_datasets
    from dpps.data.retrieval import RetrievalSettings, retrieve
    from dpps.data.selecting import selected_lfns

    folder = state_folder()
    principal, parts = local_principal(folder), build_retrieval_parts(folder)
    settings = RetrievalSettings(destination=destination, near=near, keep_paths=keep_paths, jobs=jobs)
    summary = _Summary(as_json)
    with open_named_datasets(folder) as datasets, counting("get", quiet=as_json or dry_run) as count:
        selection = selection_of(names, query, under, dataset, from_file)
        lfns = selected_lfns(principal, parts.catalogue, datasets, selection)
        if dry_run:
            for lfn in lfns:
                summary.listed(str(lfn))
        else:
            for result in retrieve(principal, parts, lfns, settings):
                summary.add(result)
                count(result.lfn.basename, None)
    return summary.close()


class _Summary:
    """Prints each result as it comes, so that a million need no memory."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._rows = self._files = self._kept = self._bytes = self._failed = 0
        self._exit_code = 0

    def listed(self, lfn: str) -> None:
        """Print a name."""
        self._row({"lfn": lfn}, visible(lfn))

    def add(self, result: RetrievedFile) -> None:
        """Print what became of one file."""
        if result.error is not None:
            self._failed += 1
            self._exit_code = self._exit_code or result.error.exit_code
        else:
            self._files += 1
            self._kept += result.rse is None
            self._bytes += result.size_bytes if result.rse is not None else 0
        self._row(_facts(result), f"{visible(str(result.path))}\t{result.rse or 'kept'}\t{result.size_bytes}")
        for reason in () if self._as_json else result.passed_over:
            click.echo(f"passed over: {visible(reason)}", err=True)

    def _row(self, facts: dict[str, Any], line: str) -> None:
        self._rows += 1
        if self._as_json:
            click.echo(("[\n  " if self._rows == 1 else ",\n  ") + json.dumps(facts), nl=False)
        elif facts.get("error") is None:
            click.echo(line)
        else:
            error = facts["error"]
            about = "" if facts["lfn"] in error["message"] else f"{visible(facts['lfn'])}: "
            click.echo(f"failed: {about}{visible(error['message'])}", err=True)
            if error["next_step"]:
                click.echo(f"next step: {visible(error['next_step'])}", err=True)

    def close(self) -> int:
        """Print the sums; return the exit code, that of the first file that failed."""
        if self._as_json:
            click.echo("[]" if self._rows == 0 else "\n]")
        elif self._files or self._failed:
            fetched = self._files - self._kept
            failed = f", {self._failed} failed" if self._failed else ""
            click.echo(
                f"{fetched} retrieved ({self._bytes} bytes), {self._kept} were there{failed}", err=True
            )
        return self._exit_code


def _facts(result: RetrievedFile) -> dict[str, Any]:
    return {
        "lfn": str(result.lfn),
        "path": str(result.path) if result.path else None,
        "from": result.rse,
        "bytes": result.size_bytes,
        "passed_over": list(result.passed_over),
        "reported": list(result.reported),
        "error": result.error.as_dict() if result.error else None,
    }
