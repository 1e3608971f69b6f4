from __future__ import annotations

import inspect

import pytest
import rucio.common.exception as rucio_exceptions

from dpps.adapters.rucio.errors import MEANINGS, catalogue_errors, mapped
from dpps.domain.errors import Conflict, DppsError, NotFound, Unavailable


def test_every_error_of_rucio_has_a_meaning() -> None:
    known = {
        name
        for name, kind in vars(rucio_exceptions).items()
        if inspect.isclass(kind)
        and issubclass(kind, Exception)
        and kind.__module__ == rucio_exceptions.__name__
    }
    assert known == set(MEANINGS)


def test_the_meaning_says_what_was_attempted_and_what_to_do() -> None:
    error = mapped(rucio_exceptions.DuplicateRule(), "make 2 copies of /ctao/dpps/x")
    assert isinstance(error, Conflict)
    assert "make 2 copies of /ctao/dpps/x" in error.message
    assert error.next_step
    assert error.identifiers == {"rucio": "DuplicateRule"}


def test_only_what_time_may_mend_is_retryable() -> None:
    assert mapped(rucio_exceptions.DatabaseException(), "x").retryable
    assert not mapped(rucio_exceptions.ScopeNotFound(), "x").retryable


def test_errors_inside_are_mapped_and_others_pass() -> None:
    with pytest.raises(NotFound), catalogue_errors("look"):
        raise rucio_exceptions.DataIdentifierNotFound
    with pytest.raises(Unavailable), catalogue_errors("look"):
        raise rucio_exceptions.RucioException
    with pytest.raises(DppsError), catalogue_errors("look"):
        raise Conflict("ours")
    with pytest.raises(ZeroDivisionError), catalogue_errors("look"):
        _ = 1 / 0
