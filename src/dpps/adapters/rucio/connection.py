"""Clients of one Rucio server for one account."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dpps.adapters.rucio.errors import catalogue_errors

__all__ = ["RucioAccount", "connect"]

_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class RucioAccount:
    """How to reach a server as one account."""

    url: str
    name: str
    password: str = field(repr=False)
    configuration: Path
    """``rucio.cfg`` with the policy package; without credentials."""
    tokens: Path
    """Folder, readable by us only, where the client keeps its token between processes."""


def connect(account: RucioAccount) -> Any:
    """Return a Rucio client.

    Raises
    ------
    Unavailable
        When the server does not answer.
    NotAuthorized
        When it does not know the account or its password.
    """
    os.environ["RUCIO_CONFIG"] = str(account.configuration)
    account.tokens.mkdir(mode=0o700, parents=True, exist_ok=True)
    with catalogue_errors(f"log {account.name} in"):
        from rucio.client import Client, baseclient

        # It prints to standard output when it cannot keep a token, in the midst of our answers.
        vars(baseclient)["print"] = _logger().warning
        # The client would keep tokens in the common temporary folder, one for all systems of this user.
        kind = type("Client", (Client,), {"TOKEN_PATH_PREFIX": f"{account.tokens}/"})
        return kind(
            rucio_host=account.url,
            auth_host=account.url,
            account=account.name,
            auth_type="userpass",
            creds={"username": account.name, "password": account.password},
            timeout=_TIMEOUT_SECONDS,
            logger=_logger(),
        )


def _logger() -> logging.Logger:
    """Return a logger for the client; its own writes to the terminal, beside the one clear error."""
    logger = logging.getLogger(f"{__name__}.client")
    logger.addHandler(logging.NullHandler())
    return logger
