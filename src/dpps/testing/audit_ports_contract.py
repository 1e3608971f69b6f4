"""What every implementation of ``BadCopies`` and of ``CatalogueChanges`` must do.

Subclass the suites in ``tests/contract`` and give the fixtures ``bad_copies`` or ``changes``, and ``raw``.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

import pytest

from dpps.data.audit.ports import BadCopies, CatalogueChanges
from dpps.data.audit.records import CopyKey
from dpps.domain.errors import DppsError
from dpps.domain.names import Lfn

__all__ = ["BadCopiesContract", "CatalogueChangesContract", "RawChanges", "RawDamage"]

_REASON = "damaged: it has 3 bytes instead of 4"


class RawDamage(Protocol):
    """Direct access to what the catalogue keeps."""

    def register(self) -> CopyKey:
        """Register a new file with a complete copy; return this copy."""
        ...

    def is_bad(self, copy: CopyKey) -> bool:
        """Tell whether the catalogue has been told that a copy is bad."""
        ...


class BadCopiesContract:
    """The suite for ``BadCopies``."""

    def test_only_what_is_declared_is_bad(self, bad_copies: BadCopies, raw: RawDamage) -> None:
        first, second, good = raw.register(), raw.register(), raw.register()
        bad_copies.declare_bad([first, second], _REASON)
        assert raw.is_bad(first)
        assert raw.is_bad(second)
        assert not raw.is_bad(good)

    def test_repeating_does_no_harm(self, bad_copies: BadCopies, raw: RawDamage) -> None:
        copy = raw.register()
        bad_copies.declare_bad([copy], _REASON)
        bad_copies.declare_bad([copy], _REASON)
        assert raw.is_bad(copy)

    def test_a_copy_that_the_catalogue_does_not_know_is_told_and_hides_no_other(
        self, bad_copies: BadCopies, raw: RawDamage
    ) -> None:
        known = raw.register()
        unknown = CopyKey(Lfn(f"{known.lfn.parent}/nobody-registered-this.dat"), known.rse)
        with pytest.raises(DppsError) as refused:
            bad_copies.declare_bad([unknown, known], _REASON)
        assert unknown.lfn.name in refused.value.message
        assert refused.value.next_step
        assert raw.is_bad(known)

    def test_nothing_is_nothing(self, bad_copies: BadCopies) -> None:
        bad_copies.declare_bad([], _REASON)


class RawChanges(Protocol):
    """A catalogue whose datasets change."""

    def change(self) -> tuple[str, datetime]:
        """Give a new dataset a rule; return its name and a time before that."""
        ...


class CatalogueChangesContract:
    """The suite for ``CatalogueChanges``. Times may be as coarse as a second."""

    def test_what_changed_since_a_time_is_named_and_nothing_older(
        self, changes: CatalogueChanges, raw: RawChanges
    ) -> None:
        (first, before), (second, _) = raw.change(), raw.change()
        assert {first, second} <= set(changes.datasets_changed_since(before - timedelta(seconds=2)))
        later = set(changes.datasets_changed_since(before + timedelta(hours=1)))
        assert not later.intersection({first, second})
