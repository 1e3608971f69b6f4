"""Wiring of explanations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from dpps.composition.data import build_catalogue, build_policy
from dpps.composition.ingest import handover_root
from dpps.composition.instance import Instance
from dpps.composition.releases import build_gate
from dpps.composition.rucio_accounts import connect_account
from dpps.composition.sites import open_sites
from dpps.composition.state import StateFolder
from dpps.data.why.observing import WhyParts

__all__ = ["open_why"]

_READER = "reader"
_TIMEOUT_SECONDS = 10.0
"""For each service without which most can be explained; a silent one is asked once."""


@contextmanager
def open_why(folder: StateFolder) -> Iterator[WhyParts]:
    """Give what explanations are made from, for the time of a block."""
    from dpps.adapters.http.refusals import HttpHandoverLedger
    from dpps.adapters.rucio.copy_states import RucioCopyStates
    from dpps.adapters.rucio.requests import RucioRequestLedger
    from dpps.adapters.sql.engine import build_engine
    from dpps.adapters.sql.evidence import SqlEvidence
    from dpps.adapters.sql.findings import SqlFindings

    client, instance = connect_account(folder, _READER), Instance.load(folder)
    engine = build_engine(instance.database(folder, "dpps"), connections_max=1)
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        sites = stack.enter_context(open_sites(folder, timeout_seconds=_TIMEOUT_SECONDS))
        yield WhyParts(
            catalogue=build_catalogue(folder, _READER),
            copies=RucioCopyStates(client),
            requests=RucioRequestLedger(client),
            sites=sites,
            handover=HttpHandoverLedger(instance.endpoint("ingest").url, handover_root(folder)),
            policy=build_policy(folder),
            evidence=SqlEvidence(engine),
            findings=SqlFindings(engine),
            gate=build_gate(folder, engine, _READER),
            clock=lambda: datetime.now(UTC),
        )
