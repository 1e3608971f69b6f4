"""Wiring of what operators do with sites and transfers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from dpps.composition.encryption import client_context
from dpps.composition.instance import Instance
from dpps.composition.rucio_accounts import connect_account
from dpps.composition.state import StateFolder
from dpps.data.sites import SiteParts
from dpps.data.transfers.service import TransferService

__all__ = ["open_sites", "open_transfers"]

_OPERATOR = "operator"
_RULES = "preservation"
_TIMEOUT_SECONDS = 30.0


@contextmanager
def open_transfers(
    folder: StateFolder, *, timeout_seconds: float = _TIMEOUT_SECONDS
) -> Iterator[TransferService]:
    """Give the transfer service of a system for the time of a block."""
    import httpx

    from dpps.adapters.http.fts import FtsClient

    endpoint = Instance.load(folder).endpoint("transfers")
    with httpx.Client(
        base_url=endpoint.url,
        verify=client_context(folder, _OPERATOR) if endpoint.scheme == "https" else True,
        trust_env=False,
        timeout=timeout_seconds,
    ) as client:
        yield FtsClient(client)


@contextmanager
def open_sites(folder: StateFolder, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> Iterator[SiteParts]:
    """Give what the operations on sites work with, for the time of a block."""
    from dpps.adapters.rucio.sites import RucioSiteRegister
    from dpps.adapters.sql.engine import build_engine
    from dpps.adapters.sql.holds import SqlHoldStore

    engine = build_engine(Instance.load(folder).database(folder, "dpps"))
    try:
        with open_transfers(folder, timeout_seconds=timeout_seconds) as transfers:
            yield SiteParts(
                register=RucioSiteRegister(
                    connect_account(folder, _OPERATOR), lambda: connect_account(folder, _RULES)
                ),
                holds=SqlHoldStore(engine),
                transfers=transfers,
                clock=lambda: datetime.now(UTC),
            )
    finally:
        engine.dispose()
