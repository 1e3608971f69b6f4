"""The preservation policy: which copies each kind of product keeps. Replication rules follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dpps.data.ports import ReplicationRule
from dpps.data.query import matches, parse_query
from dpps.domain.errors import DppsError, InvalidInput
from dpps.domain.files import MetadataValue

__all__ = ["PreservationPolicy", "ProductKind", "load_policy"]

OFFSITE_EXPRESSION = "OFFSITE=True"
"""RSE expression of the off-site data centres."""
FREEING_COPIES_MIN = 2
"""Verified off-site copies without which no policy may free an on-site copy."""


class ProductKind(BaseModel):
    """One kind of product and what is kept of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    where: str = ""
    """Condition on the metadata, as in ``dpps data find``; empty accepts every product."""
    offsite_copies: int = Field(ge=1, le=10)
    """Copies at distinct off-site centres."""
    free_onsite: bool
    """Whether the on-site copy goes once all off-site copies are verified."""

    @field_validator("where")
    @classmethod
    def _parses(cls, where: str) -> str:
        try:
            parse_query(where)
        except DppsError as wrong:
            raise ValueError(wrong.message) from wrong
        return where

    @model_validator(mode="after")
    def _frees_with_enough_copies(self) -> Self:
        if self.free_onsite and self.offsite_copies < FREEING_COPIES_MIN:
            raise ValueError(
                f"free_onsite needs offsite_copies of at least {FREEING_COPIES_MIN}; "
                "raise them, or write free_onsite: false"
            )
        return self

    def accepts(self, metadata: Mapping[str, MetadataValue]) -> bool:
        """Tell whether a product is of this kind."""
        return all(matches(metadata, condition) for condition in parse_query(self.where))

    def rule(self, dataset: str) -> ReplicationRule:
        """Return the replication rule of a dataset of this kind."""
        return ReplicationRule(dataset=dataset, copies=self.offsite_copies, expression=OFFSITE_EXPRESSION)


class PreservationPolicy(BaseModel):
    """What is kept of every kind of product."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1, le=1)
    kinds: tuple[ProductKind, ...] = Field(min_length=1)
    temporary_lifetime_seconds: int = Field(gt=0)
    """How long the outputs of attempts that did not win are kept."""

    @field_validator("kinds")
    @classmethod
    def _complete(cls, kinds: tuple[ProductKind, ...]) -> tuple[ProductKind, ...]:
        if kinds[-1].where.strip():
            raise ValueError("the last kind must accept every product (an empty 'where')")
        return kinds

    def kind_of(self, metadata: Mapping[str, MetadataValue]) -> ProductKind:
        """Return the first kind that accepts a product."""
        return next(kind for kind in self.kinds if kind.accepts(metadata))


def load_policy(override: Path | None = None) -> PreservationPolicy:
    """Read the policy: the given file where it exists, else the packaged one.

    Raises
    ------
    InvalidInput
        When the file is no valid policy.
    """
    packaged = files("dpps.data") / "policy.yaml"
    named = override is not None and override.exists()
    source = str(override) if named else "the packaged policy"
    try:
        text = override.read_text() if override is not None and named else packaged.read_text()
        return PreservationPolicy.model_validate(yaml.safe_load(text))
    except (OSError, UnicodeDecodeError) as wrong:
        raise _invalid(source, f"it cannot be read: {wrong}") from wrong
    except yaml.YAMLError as wrong:
        raise _invalid(source, str(wrong)) from wrong
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise _invalid(source, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from wrong


def _invalid(source: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"{source} is not a preservation policy: {why}",
        code="policy-invalid",
        next_step="compare it with the packaged policy.yaml; remove it to use the packaged one",
        path=source,
    )
