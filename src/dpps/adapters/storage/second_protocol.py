"""A copy between servers that one protocol cannot make is tried over the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from dpps.adapters.storage.by_scheme import StorageByScheme
from dpps.domain.errors import DppsError
from dpps.domain.files import FileContent

__all__ = ["SecondProtocol"]

_DENIED: Final = "storage-access-denied"
_WORTH_IT: Final = frozenset({_DENIED, "storage-failed", "storage-name-refused", "storage-no-checksum"})
"""What a server may answer over one protocol and not over the other. A file that is missing, a full disk, a
server that is down or that cannot prove who it is are the same over both."""
_OTHER: Final = {"https": "roots", "davs": "roots", "roots": "davs", "root": "davs"}


class SecondProtocol(StorageByScheme):
    """``StorageByScheme`` whose servers speak HTTPS and XRootD's protocol at one address."""

    def copy_aside(
        self, source_url: str, destination_url: str, token: str, proceed: Callable[[], None]
    ) -> tuple[FileContent | None, FileContent]:
        """Copy to a temporary name beside the destination, over the second protocol if need be.

        Raises
        ------
        DppsError
            The first protocol's, with what the second one said.
        """
        try:
            return super().copy_aside(source_url, destination_url, token, proceed)
        except DppsError as first:
            source, destination = _over_the_other(source_url), _over_the_other(destination_url)
            if not _is_worth_it(first, source_url) or source is None or destination is None:
                raise
            structlog.get_logger(__name__).warning(
                "copy failed and is tried over the second protocol", over=destination, error=first.message
            )
            try:
                return super().copy_aside(source, destination, token, proceed)
            except DppsError as second:
                raise _both(first, second) from second


def _is_worth_it(error: DppsError, source_url: str) -> bool:
    """Tell whether the other protocol may do better.

    What XRootD's copy shows to the source writes at the destination, and is not shown to a source that has
    just refused to be read.
    """
    is_denied_there = error.code == _DENIED and error.identifiers.get("url") == source_url
    return error.code in _WORTH_IT and not is_denied_there


def _over_the_other(url: str) -> str | None:
    scheme, _, rest = url.partition("://")
    server, _, path = rest.partition("/")
    other = _OTHER.get(scheme)
    if other is None:
        return None
    return f"{other}://{server}/{'/' if other == 'roots' else ''}{path.lstrip('/')}"


def _both(first: DppsError, second: DppsError) -> DppsError:
    return type(first)(
        f"{first.message}; over the other protocol: {second.message}",
        code=first.code,
        next_step=first.next_step,
        retryable=first.retryable,
        **first.identifiers,
    )
