"""Connections to the catalogue of one system, as one of its accounts."""

from __future__ import annotations

from typing import Any

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder

__all__ = ["connect_account"]


def connect_account(folder: StateFolder, account: str) -> Any:
    """Return a client of the catalogue of a running system.

    Parameters
    ----------
    folder : StateFolder
        The system.
    account : str
        ``ingest``, ``production``, ``preservation``, ``operator``, ``reader`` or ``root``; its password is
        the secret ``rucio-<account>``.

    Raises
    ------
    NotFound, NotAuthorized, Unavailable
        When there is no such system or account, or the catalogue does not answer.
    """
    from dpps.adapters.rucio.connection import RucioAccount, connect

    return connect(
        RucioAccount(
            url=Instance.load(folder).endpoint("rucio-server").url,
            name=account,
            password=folder.secret(f"rucio-{account}"),
            configuration=folder.rucio_client_config,
            tokens=folder.run / "tokens",
        )
    )
