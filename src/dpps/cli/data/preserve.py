"""``dpps data preserve``."""

from __future__ import annotations

import click

from dpps.cli.counting import counting
from dpps.cli.output import emit_json, emit_table, json_option, state_folder, state_option

__all__ = ["preserve"]


@click.command()
@click.argument("path", default="/")
@click.option("--dry-run", is_flag=True, help="Read the copies back, change nothing.")
@json_option
@state_option
def preserve(path: str, dry_run: bool, as_json: bool) -> None:
    """Bring datasets below PATH to the policy, and free on-site copies whose other copies are proven."""
    from contextlib import closing

    from dpps.composition.preservation import build_preservation
    from dpps.data.preservation import Keeping, preservation_pass

    parts = build_preservation(state_folder())
    with closing(parts), counting("verify", quiet=as_json) as count:
        parts.prepare()
        archive = parts.connect()
        work = Keeping(
            catalogue=archive.catalogue,
            reader=parts.reader,
            releases=parts.releases,
            keeper=archive.keeper,
            policy=parts.policy.read(),
            elements=archive.catalogue.storage_elements(),
            dry_run=dry_run,
        )
        looks = preservation_pass(
            parts.principal, work, under=path, progress=lambda result: count(result.lfn.basename, None)
        )
        rows = [
            {
                "lfn": str(one.lfn),
                "rse": one.rse,
                "outcome": one.outcome.value,
                "verified_at": list(one.verified_at),
                "reason": one.reason,
            }
            for look in looks
            for one in look.copies
        ]
    if as_json:
        emit_json(rows)
    else:
        emit_table(["outcome", "lfn", "reason"], rows, empty="no on-site copy is left to free")
