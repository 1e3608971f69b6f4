"""FTS3's calls for limits, bans and shares: what an operator sets, on a real FTS3 as on this service.

Shapes and status codes are those of the FTS3 REST server. Attributes of FTS3 that tune its own machinery are
accepted and forgotten; what would be missed is refused (`dpps.services.transfers.unsupported`); what is kept
is given back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dpps.data.transfers.limits import (
    ActivityShares,
    BannedStorage,
    BanStatus,
    LimitsStore,
    LinkLimit,
    StorageLimit,
    TransferLimits,
)
from dpps.data.transfers.ports import TransferQueue
from dpps.domain.errors import InvalidInput, NotFound
from dpps.services.transfers.unsupported import refuse_throughput

__all__ = ["add_configuration"]

_NO_CONTENT = 204


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")


class LinkMessage(_Message):
    """Body of ``POST /config/links``; FTS3 takes 2 for a limit that is not given."""

    symbolicname: str = Field(min_length=1, max_length=500)
    source: str = "*"
    destination: str = "*"
    min_active: int = Field(default=2, ge=0)
    max_active: int = Field(default=2, ge=0)


class _StorageInfo(_Message):
    inbound_max_active: int | None = Field(default=None, ge=0)
    outbound_max_active: int | None = Field(default=None, ge=0)
    inbound_max_throughput: float | None = Field(default=None, ge=0)
    outbound_max_throughput: float | None = Field(default=None, ge=0)


class _StorageMessage(_Message):
    se_info: _StorageInfo = _StorageInfo()


class SharesMessage(_Message):
    """Body of ``POST /config/activity_shares``."""

    vo: str = Field(min_length=1)
    active: bool = True
    share: dict[str, float] | list[dict[str, float]]

    def weights(self) -> dict[str, float]:
        """Return the weights, which FTS3 takes in two forms."""
        parts = [self.share] if isinstance(self.share, dict) else self.share
        return {activity: weight for part in parts for activity, weight in part.items()}


class BanMessage(_Message):
    """Body of ``POST /ban/se``."""

    storage: str = Field(min_length=1)
    message: str = ""
    status: str = "CANCEL"
    timeout: int = Field(default=0, ge=0)


@dataclass(frozen=True, slots=True)
class _Settings:
    """Changes one part of the limits at a time."""

    store: LimitsStore
    queue: TransferQueue

    def replace(self, part: str, change: Callable[[Any], Any]) -> TransferLimits:
        def changed(known: TransferLimits) -> TransferLimits:
            return known.model_copy(update={part: change(getattr(known, part))})

        return self.store.change_limits(changed)


def add_configuration(application: FastAPI, store: LimitsStore, queue: TransferQueue) -> None:
    """Add the calls under ``/config`` and ``/ban``."""
    settings = _Settings(store=store, queue=queue)
    _add_links(application, settings)
    _add_storages(application, settings)
    _add_shares(application, settings)
    _add_bans(application, settings)


def _add_links(application: FastAPI, settings: _Settings) -> None:
    @application.get("/config/links")
    def list_links() -> list[dict[str, Any]]:
        """List the limits of links."""
        return [one.model_dump() for one in settings.store.limits().links]

    @application.post("/config/links")
    def set_link(message: LinkMessage) -> dict[str, Any]:
        """Set the limit of a link, by its symbolic name."""
        if message.min_active > message.max_active:
            raise InvalidInput("max_active is lower than min_active", next_step="raise max_active")
        limit = LinkLimit(**message.model_dump())
        settings.replace("links", lambda known: (*_others(known, "symbolicname", limit.symbolicname), limit))
        return limit.model_dump()

    @application.get("/config/links/{name:path}")
    def show_link(name: str) -> dict[str, Any]:
        """Show one."""
        for one in settings.store.limits().links:
            if one.symbolicname == name:
                return one.model_dump()
        raise NotFound(f"Link {name} does not exist", next_step="list them: GET /config/links", link=name)

    @application.delete("/config/links/{name:path}", status_code=_NO_CONTENT)
    def delete_link(name: str) -> Response:
        """Remove one; absent is no error."""
        settings.replace("links", lambda known: _others(known, "symbolicname", name))
        return Response(status_code=_NO_CONTENT)


def _add_storages(application: FastAPI, settings: _Settings) -> None:
    @application.get("/config/se")
    def list_storages(se: str | None = None) -> dict[str, Any]:
        """Show the limits of storages, by storage."""
        limits = settings.store.limits().storages
        return {one.storage: _shown(one) for one in limits if se in {None, one.storage}}

    @application.post("/config/se")
    def set_storages(messages: dict[str, Any]) -> list[Any]:
        """Set the limits of storages; what is not named keeps its value."""
        wanted = {storage: _storage_message(storage, given) for storage, given in messages.items()}
        changed = settings.replace("storages", lambda known: _merged(known, wanted))
        shown = [_shown(one) for one in changed.storages if one.storage in wanted]
        return [shown[-1]["se_info"] if shown else None, {}]

    @application.delete("/config/se", status_code=_NO_CONTENT)
    def delete_storage(se: str) -> Response:
        """Remove the limits of one storage; absent is no error."""
        settings.replace("storages", lambda known: _others(known, "storage", se))
        return Response(status_code=_NO_CONTENT)


def _storage_message(storage: str, given: Any) -> dict[str, int | None]:
    if not storage.strip():
        raise InvalidInput("Malformed configuration: a storage has no name", next_step="name the storage")
    try:
        info = _StorageMessage.model_validate(given).se_info
    except ValidationError as wrong:
        raise InvalidInput(
            f"Malformed configuration of {storage}: {wrong.errors()[0]['msg']}",
            next_step='send {"<storage>": {"se_info": {"inbound_max_active": 5}}}',
        ) from wrong
    values = info.model_dump(exclude_unset=True)
    refuse_throughput(storage, values)
    return {name: value for name, value in values.items() if name in StorageLimit.model_fields}


def _merged(
    known: tuple[StorageLimit, ...], wanted: Mapping[str, dict[str, int | None]]
) -> tuple[StorageLimit, ...]:
    limits = {one.storage: one for one in known}
    for storage, values in wanted.items():
        limits[storage] = limits.get(storage, StorageLimit(storage=storage)).model_copy(update=values)
    return tuple(limits[storage] for storage in sorted(limits))


def _shown(limit: StorageLimit) -> dict[str, Any]:
    unused = ("inbound_max_throughput", "outbound_max_throughput", "udt", "ipv6", "se_metadata")
    more = ("site", "debug_level", "eviction")
    info = limit.model_dump(exclude={"storage"}) | dict.fromkeys((*unused, *more))
    return {"se_info": info}


def _add_shares(application: FastAPI, settings: _Settings) -> None:
    @application.get("/config/activity_shares")
    def list_shares() -> dict[str, Any]:
        """Show the weights of activities, by VO."""
        return {vo: _shares(one) for vo, one in settings.store.limits().shares.items()}

    @application.post("/config/activity_shares")
    def set_shares(message: SharesMessage) -> dict[str, Any]:
        """Set the weights of the activities of one VO."""
        weights = message.weights()
        if any(weight < 0 for weight in weights.values()):
            raise InvalidInput("a share is negative", next_step="give weights of 0 and above")
        shares = ActivityShares(active=message.active, weights=weights)
        settings.replace("shares", lambda known: {**known, message.vo: shares})
        return {"vo": message.vo, **_shares(shares)}

    @application.get("/config/activity_shares/{vo}")
    def show_shares(vo: str) -> dict[str, Any]:
        """Show the weights of the activities of one VO."""
        known = settings.store.limits().shares.get(vo)
        if known is None:
            raise NotFound(f"no activity shares are set for {vo}", next_step="set them by POST", vo=vo)
        return _shares(known)

    @application.delete("/config/activity_shares/{vo}", status_code=_NO_CONTENT)
    def delete_shares(vo: str) -> Response:
        """Remove the weights of one VO; absent is no error."""
        settings.replace("shares", lambda known: {name: one for name, one in known.items() if name != vo})
        return Response(status_code=_NO_CONTENT)


def _shares(shares: ActivityShares) -> dict[str, Any]:
    return {"active": shares.active, "share": dict(shares.weights)}


def _add_bans(application: FastAPI, settings: _Settings) -> None:
    @application.get("/ban/se")
    def list_bans() -> list[dict[str, Any]]:
        """List the banned storages."""
        return [
            {
                "se": one.storage,
                "message": one.message,
                "status": one.status.value,
                "addition_time": one.banned_at.strftime("%Y-%m-%dT%H:%M:%S"),
                "timeout": one.timeout_seconds,
            }
            for one in settings.store.limits().bans
        ]

    @application.post("/ban/se")
    def ban(message: BanMessage) -> list[str]:
        """Move nothing from or to a storage; return the jobs that were canceled.

        With the status WAIT, files that wait go on waiting, for ``timeout`` seconds; with CANCEL they are
        canceled at once.
        """
        if message.status.upper() not in list(BanStatus):
            raise InvalidInput("status must be WAIT or CANCEL", next_step="correct status")
        banned = BannedStorage(
            storage=message.storage,
            message=message.message,
            status=BanStatus(message.status.upper()),
            timeout_seconds=message.timeout,
            banned_at=datetime.now(UTC),
        )
        settings.replace("bans", lambda known: (*_others(known, "storage", banned.storage), banned))
        if banned.status is BanStatus.CANCEL:
            reason = f"the storage is banned: {banned.message}"
            settings.queue.cancel_for_storage(banned.storage, reason, banned.banned_at)
        return []

    @application.delete("/ban/se", status_code=_NO_CONTENT)
    def unban(storage: str) -> Response:
        """Let files move again; absent is no error."""
        settings.replace("bans", lambda known: _others(known, "storage", storage))
        return Response(status_code=_NO_CONTENT)


def _others(known: tuple[Any, ...], attribute: str, value: str) -> tuple[Any, ...]:
    return tuple(one for one in known if getattr(one, attribute) != value)
