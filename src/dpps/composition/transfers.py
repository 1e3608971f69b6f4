"""Wiring of the transfer service."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dpps.composition.encryption import server_context
from dpps.composition.instance import Endpoint, Instance
from dpps.composition.principals import service_principal
from dpps.composition.settings import read_settings
from dpps.composition.state import StateFolder
from dpps.composition.storage import build_storage
from dpps.data.transfers.history import TransferHistory
from dpps.data.transfers.lanes import StorageNames
from dpps.data.transfers.limits import LimitsStore
from dpps.data.transfers.ports import TransferQueue, TransferStorage
from dpps.domain.principals import Principal

__all__ = ["TransferParts", "TransferSettings", "build_transfers"]


class TransferSettings(BaseSettings):
    """Settings of the transfer service, from variables ``DPPS_TRANSFERS_…``."""

    model_config = SettingsConfigDict(env_prefix="DPPS_TRANSFERS_", use_attribute_docstrings=True)

    workers: int = Field(default=4, ge=1, le=64)
    """Files moved at the same time. Default: 4."""
    memory_days: float = Field(default=30.0, gt=0)
    """Days after which finished jobs are forgotten. Default: 30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferParts:
    """What the transfer service runs with."""

    settings: TransferSettings
    endpoint: Endpoint
    vo: str
    queue: TransferQueue
    limits: LimitsStore
    history: TransferHistory
    storage: TransferStorage
    prepare: Callable[[], None]
    """Brings the database schema up to date."""
    encryption: Callable[[], ssl.SSLContext]
    """Gives the certificate to serve with; clients may show theirs."""
    principal_of: Callable[[str], Principal]
    """Whom the name in a client's certificate stands for."""
    close: Callable[[], None]
    """Closes the connections to the database."""


def build_transfers(folder: StateFolder) -> TransferParts:
    """Return the parts for the system in a state folder; touches neither database nor storage.

    Raises
    ------
    NotFound, InvalidInput
        When the folder holds no system, or its description or the settings are wrong.
    """
    from dpps.adapters.sql.engine import build_engine, migrate
    from dpps.adapters.sql.transfer_limits import SqlTransferHistory, SqlTransferLimits
    from dpps.adapters.sql.transfer_queue import SqlTransferQueue

    settings = read_settings(TransferSettings)
    instance = Instance.load(folder)
    url = instance.database(folder, "dpps")
    engine = build_engine(url, connections_max=settings.workers + 6)
    return TransferParts(
        settings=settings,
        endpoint=instance.endpoint("transfers"),
        vo=instance.vo,
        queue=SqlTransferQueue(engine, StorageNames(site.url_prefix for site in instance.sites), instance.vo),
        limits=SqlTransferLimits(engine),
        history=SqlTransferHistory(engine),
        storage=build_storage(folder, "transfers"),
        prepare=lambda: migrate(url),
        encryption=lambda: server_context(folder, "transfers"),
        principal_of=service_principal,
        close=engine.dispose,
    )
