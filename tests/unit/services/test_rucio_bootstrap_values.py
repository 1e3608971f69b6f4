"""What the bootstrap computes without a catalogue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.composition.instance import SiteStorage
from dpps.services.rucio_bootstrap import ACCOUNTS, distance_km, site_attributes
from dpps.services.rucio_policy.decisions import ATTRIBUTES, PRESERVER, WRITERS

_DEGREES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def _site(latitude: float, longitude: float, *, onsite: bool = False) -> SiteStorage:
    return SiteStorage(
        rse="X", onsite=onsite, country="ES", latitude_deg=latitude, longitude_deg=longitude,
        url_prefix="file://localhost/x",
    )  # fmt: skip


def test_the_distance_of_the_two_arrays() -> None:
    north, south = _site(28.7622, -17.8920), _site(-24.6834, -70.3163)
    assert distance_km(north, south) == pytest.approx(8122, rel=0.02)


@given(_DEGREES, _DEGREES)
def test_distances_are_symmetric_and_at_most_half_the_circumference(
    one: tuple[float, float], other: tuple[float, float]
) -> None:
    there, back = distance_km(_site(*one), _site(*other)), distance_km(_site(*other), _site(*one))
    assert there == pytest.approx(back)
    assert 0 <= there <= 20_016


def test_a_storage_is_either_on_site_or_off_site() -> None:
    assert "OFFSITE" not in site_attributes(_site(0, 0, onsite=True), "http://x")
    attributes = site_attributes(_site(0, 0, onsite=False), "http://x")
    assert attributes["OFFSITE"] is True
    assert "ONSITE" not in attributes


def test_every_protected_scope_has_one_owner_who_may_write_it() -> None:
    owners = {scope: account for account in ACCOUNTS for scope in account.scopes}
    assert sum(len(account.scopes) for account in ACCOUNTS) == len(owners)
    assert dict(WRITERS) == {
        scope: attribute
        for scope, account in owners.items()
        for attribute in account.attributes
        if WRITERS[scope] == attribute
    }


def test_accounts_are_trusted_with_what_the_policy_knows() -> None:
    assert all(account.attributes <= ATTRIBUTES for account in ACCOUNTS)


def test_readers_and_operators_write_no_files() -> None:
    for account in ACCOUNTS:
        if account.name in ("reader", "operator"):
            assert not account.attributes & (set(WRITERS.values()) | {PRESERVER})
            assert not account.makes_rules
