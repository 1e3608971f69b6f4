"""What the bootstrap computes without a catalogue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.composition.instance import SiteStorage
from dpps.services.rucio_bootstrap import ACCOUNTS, distance_km, site_attributes

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


def test_every_scope_has_one_owner_and_readers_own_nothing() -> None:
    scopes = [scope for account in ACCOUNTS for scope in account.scopes]
    assert len(scopes) == len(set(scopes))
    assert not any(account.scopes for account in ACCOUNTS if not account.admin)
