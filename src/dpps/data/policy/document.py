"""The preservation policy: which copies each kind of product keeps. Replication rules follow from it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

from dpps.data.policy.durations import format_duration, parse_duration
from dpps.data.policy.expressions import parse_expression
from dpps.data.query import matches, parse_query
from dpps.domain.errors import DppsError
from dpps.domain.files import MetadataValue

__all__ = ["FreeOnsite", "PreservationPolicy", "ProductKind", "Temporary"]

OFFSITE_EXPRESSION = "OFFSITE=True"
"""RSE expression of the off-site data centres."""
FREEING_COPIES_MIN = 2
"""Verified copies at other centres without which no policy may free an on-site copy."""
_WHEN_VERIFIED = re.compile(r"when-verified(?:\s+after\s+(?P<after>.+))?")


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value)
    except DppsError as wrong:
        raise ValueError(f"{wrong.message}; {wrong.next_step}") from wrong


def _above_zero(duration: timedelta) -> timedelta:
    if duration <= timedelta(0):
        raise ValueError("it must be above zero")
    return duration


type Duration = Annotated[
    timedelta, BeforeValidator(_duration), AfterValidator(_above_zero), PlainSerializer(format_duration)
]
"""A time above zero, written as ``30 days``."""


class FreeOnsite(BaseModel):
    """When the on-site copy of a file may go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when_verified: bool
    """True: once all demanded copies were read back intact; False: never."""
    after: timedelta = timedelta(0)
    """How long the copies must have been intact by then."""

    def __str__(self) -> str:
        if not self.when_verified:
            return "never"
        return f"when-verified after {format_duration(self.after)}" if self.after else "when-verified"


def _free_onsite(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.strip() == "never":
        return FreeOnsite(when_verified=False)
    match = _WHEN_VERIFIED.fullmatch(value.strip())
    if match is None:
        raise ValueError("write never, when-verified, or when-verified after 2 days")
    after = _duration(match["after"]) if match["after"] else timedelta(0)
    return FreeOnsite.model_validate({"when_verified": True, "after": after})


class ProductKind(BaseModel):
    """One kind of product and what is kept of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=60)
    where: str = ""
    """Condition on the metadata, as in ``dpps data find``; empty accepts every product."""
    copies: int = Field(ge=1, le=10)
    """Copies at distinct centres."""
    at: str = OFFSITE_EXPRESSION
    """RSE expression of the storages that may hold them."""
    distance_km: float | None = Field(default=None, gt=0, le=20000)
    """Least great-circle distance between any two of the copies, in kilometres."""
    first_copy_from: Literal["onsite", "anywhere"] = "anywhere"
    """Where the first copy is read."""
    further_copies_from: Literal["offsite", "anywhere"] = "anywhere"
    """Where the others are read: ``offsite`` uses the on-site link once per file."""
    free_onsite: Annotated[FreeOnsite, BeforeValidator(_free_onsite), PlainSerializer(str)]
    """When the on-site copy goes."""
    lifetime: Duration | None = None
    """After which all copies may go; None keeps them for ever."""
    priority: int = Field(default=3, ge=1, le=5)
    """Of the transfers: 5 is the most urgent."""

    @field_validator("where")
    @classmethod
    def _parses(cls, where: str) -> str:
        try:
            parse_query(where)
        except DppsError as wrong:
            raise ValueError(wrong.message) from wrong
        return where

    @field_validator("at")
    @classmethod
    def _is_expression(cls, at: str) -> str:
        try:
            parse_expression(at)
        except DppsError as wrong:
            raise ValueError(wrong.message) from wrong
        return at

    @model_validator(mode="after")
    def _frees_with_enough_copies(self) -> Self:
        if self.free_onsite.when_verified and self.copies < FREEING_COPIES_MIN:
            raise ValueError(
                f"free_onsite: when-verified needs copies of at least {FREEING_COPIES_MIN}; "
                "raise them, or write free_onsite: never"
            )
        return self

    def accepts(self, metadata: Mapping[str, MetadataValue]) -> bool:
        """Tell whether a product is of this kind."""
        return matches(metadata, parse_query(self.where))


class Temporary(BaseModel):
    """What is kept below ``/<vo>/tmp``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lifetime: Duration
    """How long temporary files are kept when nobody says otherwise."""


class PreservationPolicy(BaseModel):
    """What is kept of every kind of product."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[2]
    kinds: tuple[ProductKind, ...] = Field(min_length=1)
    temporary: Temporary

    @field_validator("kinds")
    @classmethod
    def _complete(cls, kinds: tuple[ProductKind, ...]) -> tuple[ProductKind, ...]:
        if kinds[-1].where.strip():
            raise ValueError("the last kind must accept every product (an empty 'where')")
        names = [kind.name for kind in kinds]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two kinds are named {twice[0]!r}")
        return kinds

    @cached_property
    def digest(self) -> str:
        """Short fingerprint of what the policy says; comments and layout do not change it."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def temporary_lifetime_seconds(self) -> int:
        """How long temporary files are kept, in seconds."""
        return round(self.temporary.lifetime.total_seconds())

    def kind_of(self, metadata: Mapping[str, MetadataValue]) -> ProductKind:
        """Return the first kind that accepts a product."""
        return next(kind for kind in self.kinds if kind.accepts(metadata))
