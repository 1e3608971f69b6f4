"""Shower physics against known numbers."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from dpps_simpipe.atmosphere import Atmosphere
from dpps_simpipe.showers import PRIMARIES, REFERENCE_PHOTONS, Shower
from dpps_simpipe.showers.constants import MUON_MASS, RADIATION_LENGTH
from dpps_simpipe.showers.electromagnetic import electromagnetic_tables
from dpps_simpipe.showers.hadrons import interaction_depth
from dpps_simpipe.showers.stack import PION_PLUS, PROTON
from dpps_simpipe.showers.world import cherenkov_threshold

from dpps.domain.errors import InvalidInput

type MakeShower = Callable[..., Shower]

#: As in the fixture: radius of the spheres in m, photoelectrons per photon.
RADIUS, EFFICIENCY = 10.0, 0.02
CRITICAL_ENERGY_GEV = 0.0868
RINGS = (20.0, 60.0, 90.0, 110.0, 130.0, 160.0, 200.0, 300.0)


def _showers(make: MakeShower, primary: str, energy: float, count: int, **options: object) -> list[Shower]:
    return [make(primary, energy, number, **options) for number in range(count)]


def _maximum(showers: list[Shower]) -> float:
    return float(np.mean([shower.depth_of_maximum for shower in showers]))


def test_light_of_a_metre_of_track(atmosphere: Atmosphere) -> None:
    # At sea level θ = 1.37° and a relativistic particle makes about 30 photons/m between 350 and 500 nm.
    refractivity = atmosphere.refractivity[0]
    sin_squared = 1 - 1 / (1 + refractivity) ** 2
    share = (1 / 350 - 1 / 500) / (1 / 240 - 1 / 1000)
    assert math.degrees(math.asin(math.sqrt(sin_squared))) == pytest.approx(1.37, abs=0.02)
    assert REFERENCE_PHOTONS * sin_squared * share == pytest.approx(22.4, rel=0.03)


def test_cherenkov_thresholds_at_sea_level(atmosphere: Atmosphere) -> None:
    refractivity = atmosphere.refractivity[:1]
    assert cherenkov_threshold(refractivity) == pytest.approx(21.5, rel=0.02)
    assert cherenkov_threshold(refractivity, MUON_MASS) == pytest.approx(4440, rel=0.02)


def test_cross_sections_of_air() -> None:
    tables = electromagnetic_tables(25.0)
    energy = np.exp(tables.log_lowest + tables.log_step * np.arange(len(tables.pair)))
    # Pair production goes to 7/9 of a radiation length; both reach NIST's ESTAR/XCOM values for dry air.
    assert np.interp(1e6, energy, tables.pair) * RADIATION_LENGTH == pytest.approx(7 / 9, rel=0.02)
    assert np.interp(100.0, energy, tables.pair + tables.compton) == pytest.approx(0.0172, rel=0.05)
    loss = electromagnetic_tables(1e9).energy_loss
    assert np.interp(100.0, energy, loss) == pytest.approx(4.73, rel=0.06)
    assert np.interp(1000.0, energy, loss) == pytest.approx(29.2, rel=0.05)


def test_maximum_of_gamma_showers_follows_heitler(make_shower: MakeShower) -> None:
    # X_max = X0 (ln(E/E_c) + 1/2) (PDG 2022, 34.5) counts all charged particles; those that make light are
    # fewer late in the shower, and their maximum comes up to a radiation length earlier.
    maxima = {
        energy: _maximum(_showers(make_shower, "gamma", energy, count))
        for energy, count in ((20.0, 120), (200.0, 30))
    }
    for energy, maximum in maxima.items():
        expected = RADIATION_LENGTH * (math.log(energy / CRITICAL_ENERGY_GEV) + 0.5)
        assert expected - 50 < maximum < expected + 10
    assert maxima[200.0] - maxima[20.0] == pytest.approx(RADIATION_LENGTH * math.log(10), abs=30)


def test_electron_showers_begin_earlier_than_gammas(make_shower: MakeShower) -> None:
    electrons = _maximum(_showers(make_shower, "electron", 100.0, 30))
    assert electrons < _maximum(_showers(make_shower, "gamma", 100.0, 30)) + 5


def test_proton_showers_are_deeper_and_fluctuate_more(make_shower: MakeShower) -> None:
    gammas = _showers(make_shower, "gamma", 500.0, 8)
    protons = _showers(make_shower, "proton", 500.0, 24)
    assert _maximum(gammas) < _maximum(protons) < 520
    assert np.std([shower.depth_of_maximum for shower in protons]) > 50


def test_track_length_of_gamma_showers_goes_with_energy(make_shower: MakeShower) -> None:
    small = np.mean([shower.profile.sum() for shower in _showers(make_shower, "gamma", 20.0, 60)])
    large = np.mean([shower.profile.sum() for shower in _showers(make_shower, "gamma", 200.0, 12)])
    assert large / small == pytest.approx(10.0, rel=0.12)


def test_gamma_light_has_its_shoulder_at_120_metres(make_shower: MakeShower) -> None:
    showers = _showers(make_shower, "gamma", 100.0, 40, impacts=RINGS)
    density = np.mean([shower.light[:, 0] for shower in showers], axis=0) / (math.pi * RADIUS**2)
    by_ring = dict(zip(RINGS, density, strict=True))
    # Flat inside, a hump near 120 m, a steep fall beyond (CORSIKA; about 30 photons/m² at 100 GeV).
    assert 0.7 < by_ring[60.0] / by_ring[110.0] < 1.3
    assert by_ring[200.0] < 0.6 * by_ring[110.0]
    assert by_ring[300.0] < 0.3 * by_ring[110.0]
    assert by_ring[110.0] == pytest.approx(30, rel=0.25)


def test_photoelectrons_are_the_expected_share_of_photons(make_shower: MakeShower) -> None:
    shower = make_shower("gamma", 300.0, 1, impacts=(50.0, 120.0))
    expected = shower.light[:, 0] * EFFICIENCY
    assert shower.light[:, 1] == pytest.approx(expected, rel=1e-9)
    found = np.bincount(shower.target, minlength=2)
    assert found == pytest.approx(expected, abs=6 * math.sqrt(expected.max()))


def test_photons_meet_their_sphere_and_fly_down(make_shower: MakeShower) -> None:
    shower = make_shower("gamma", 300.0, 2, impacts=(80.0,))
    away = np.linalg.norm(shower.photons[:, :3], axis=1)
    assert away.max() <= RADIUS * 1.001
    assert np.linalg.norm(shower.photons[:, 3:6], axis=1) == pytest.approx(1.0, abs=1e-5)
    assert shower.photons[:, 5].max() < -0.9
    # Gamma light comes as a flash of some nanoseconds, at the shower's front.
    assert np.percentile(shower.photons[:, 6], 90) - np.percentile(shower.photons[:, 6], 10) < 15
    assert abs(np.median(shower.photons[:, 6])) < 40


def test_roulette_keeps_the_mean(make_shower: MakeShower) -> None:
    plain = _showers(make_shower, "gamma", 100.0, 25, impacts=(120.0,))
    thinned = _showers(make_shower, "gamma", 100.0, 25, impacts=(120.0,), weight=3.0)
    means = [np.mean([shower.light[0, 0] for shower in showers]) for showers in (plain, thinned)]
    assert means[1] / means[0] == pytest.approx(1.0, abs=0.2)


def test_muon_light_makes_a_ring_of_the_cherenkov_angle(
    make_shower: MakeShower, atmosphere: Atmosphere
) -> None:
    shower = make_shower("muon", 300.0, 3, impacts=(3.0,))
    low = shower.photons[shower.photons[:, 7] < 600.0]
    theta = np.degrees(np.arccos(-low[:, 5]))
    index = 1 + np.interp(2156.0 + 300.0, atmosphere.altitude, atmosphere.refractivity)
    beta = math.sqrt(1 - (MUON_MASS / 300e3) ** 2)
    assert len(low) > 50
    assert np.median(theta) == pytest.approx(math.degrees(math.acos(1 / (index * beta))), abs=0.08)


def test_mean_free_paths_of_hadrons() -> None:
    # Proton-air about 90 g/cm² at 100 GeV (280 mb), pions a third longer (PDG: 90 and 122 g/cm²).
    assert interaction_depth(PROTON, 1e5) == pytest.approx(88, rel=0.05)
    assert interaction_depth(PION_PLUS, 1e5) == pytest.approx(118, rel=0.06)
    assert interaction_depth(PROTON, 1e8) < interaction_depth(PROTON, 1e5)


def test_protons_give_less_light_than_gammas_of_their_energy(make_shower: MakeShower) -> None:
    light = {
        name: np.mean(
            [shower.light.sum() for shower in _showers(make_shower, name, 300.0, 15, impacts=RINGS)]
        )
        for name in ("gamma", "proton")
    }
    assert 0.2 < light["proton"] / light["gamma"] < 0.8


def test_helium_is_four_nucleons(make_shower: MakeShower) -> None:
    # Four showers of a quarter of the energy: four times the light, half the relative fluctuation.
    helium, proton = (
        np.array([shower.light.sum() for shower in _showers(make_shower, name, energy, 150, impacts=RINGS)])
        for name, energy in (("helium", 400.0), ("proton", 100.0))
    )
    assert helium.mean() / proton.mean() == pytest.approx(4.0, rel=0.3)
    assert helium.std() / helium.mean() < 0.75 * proton.std() / proton.mean()


def test_first_interaction_can_be_given(make_shower: MakeShower) -> None:
    shower = make_shower("gamma", 100.0, 1, first_interaction=15e3)
    assert shower.first_interaction == pytest.approx(15e3 - 2156.0)
    assert shower.profile[:10].sum() == 0.0


def test_a_shower_depends_on_its_random_numbers_alone(make_shower: MakeShower) -> None:
    first = make_shower("proton", 200.0, 7, impacts=(100.0,))
    make_shower("gamma", 50.0, 8, impacts=(20.0, 30.0))
    again = make_shower("proton", 200.0, 7, impacts=(100.0,))
    assert np.array_equal(first.photons, again.photons)
    assert first.depth_of_maximum == again.depth_of_maximum


def test_what_cannot_be_simulated_is_refused(make_shower: MakeShower) -> None:
    with pytest.raises(InvalidInput, match="proton of 500 MeV"):
        make_shower("proton", 0.5, 1)
    with pytest.raises(InvalidInput, match="cos"):
        make_shower("gamma", 100.0, 1, zenith=math.radians(85))
    assert PRIMARIES["helium"].code == 402
