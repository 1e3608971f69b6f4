"""Wiring of explanations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from dpps.composition.data import build_catalogue, build_policy
from dpps.composition.instance import Instance
from dpps.composition.rucio_accounts import connect_account
from dpps.composition.sites import open_sites
from dpps.composition.state import StateFolder
from dpps.data.why.observing import WhyParts

__all__ = ["open_why"]

_READER = "reader"


@contextmanager
def open_why(folder: StateFolder) -> Iterator[WhyParts]:
    """Give what explanations are made from, for the time of a block."""
    from dpps.adapters.http.refusals import HttpHandoverLedger
    from dpps.adapters.rucio.copy_states import RucioCopyStates
    from dpps.adapters.rucio.requests import RucioRequestLedger

    client = connect_account(folder, _READER)
    with open_sites(folder) as sites:
        yield WhyParts(
            catalogue=build_catalogue(folder, _READER),
            copies=RucioCopyStates(client),
            requests=RucioRequestLedger(client),
            sites=sites,
            handover=HttpHandoverLedger(Instance.load(folder).endpoint("ingest").url),
            policy=build_policy(folder),
            clock=lambda: datetime.now(UTC),
        )
