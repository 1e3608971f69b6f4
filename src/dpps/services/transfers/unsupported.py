"""What FTS3 can be told and this service cannot do: refused in words, so that nobody believes it was set.

FTS3 has no status of its own for that; 501 is HTTP's word for it (RFC 9110, 15.6.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Response
from starlette.exceptions import HTTPException

__all__ = ["add_unsupported", "refuse_throughput"]

_NO_CONTENT = 204
_THROUGHPUT = ("inbound_max_throughput", "outbound_max_throughput")


def refuse_throughput(storage: str, values: Mapping[str, Any]) -> None:
    """Refuse a limit of throughput; 0 and null are none, as in FTS3.

    In a third-party copy the two storages send the bytes to each other, and neither of their protocols
    lets a third party say how fast.

    Raises
    ------
    HTTPException
        501, naming the limit.
    """
    for name in _THROUGHPUT:
        if values.get(name):
            raise _refusal(
                f"{name} of {storage} cannot be kept: the storages send to each other at their own rate; "
                "limit inbound_max_active and outbound_max_active, or the rate at the storage itself"
            )


def add_unsupported(application: FastAPI) -> None:
    """Add the calls of FTS3 that have no meaning here."""

    @application.get("/ban/dn")
    def list_banned_users() -> list[str]:
        """List the banned users: none can be."""
        return []

    @application.post("/ban/dn")
    def ban_user() -> Response:
        """Refuse to ban a user."""
        raise _refusal(
            "users are not banned here: only the services and operators of this system may submit; "
            "take the certificate of the one in question away"
        )

    @application.delete("/ban/dn", status_code=_NO_CONTENT)
    def unban_user() -> Response:
        """Let a user submit; who is not banned stays so, and is no error."""
        return Response(status_code=_NO_CONTENT)

    @application.get("/config/global")
    @application.post("/config/global")
    def configure_all() -> Response:
        """Refuse settings for everything at once."""
        raise _refusal(
            "there are no settings for all storages at once: set /config/se and /config/links with '*', "
            "and the number of workers with DPPS_TRANSFERS_WORKERS"
        )


def _refusal(why: str) -> HTTPException:
    return HTTPException(HTTPStatus.NOT_IMPLEMENTED, why)
