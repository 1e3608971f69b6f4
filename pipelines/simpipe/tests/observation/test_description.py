"""Descriptions of nights and calibration runs: what is read, what is refused and how."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from dpps_simpipe.calibration_runs.description import load_calibration_run
from dpps_simpipe.command import main
from dpps_simpipe.observation.observing import observe
from dpps_simpipe.observation.reading import load_night
from dpps_simpipe.observation.spectra import LITERATURE, EnergySampler, LogParabola, PowerLaw
from dpps_simpipe.simulation.description import load_run

from dpps.domain.errors import DamagedFile, InvalidInput, NotFound

from .conftest import CALIBRATION, NIGHT, Write

#: Unfolds to 10^8 values.
_BOMB = "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]"
    for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


def test_a_night_is_read(write: Write) -> None:
    night = load_night(write(NIGHT))
    assert [one.primary for one in night.populations] == ["gamma", "proton"]
    assert night.populations[0].energy_min_tev == pytest.approx(0.15)
    assert night.dead_time_s == pytest.approx(7e-6)
    (block,) = night.blocks
    assert block.start.isoformat() == "2026-01-15T22:00:00+00:00"
    # 0.5 deg towards the East.
    assert block.pointing.dec_deg == pytest.approx(22.0145, abs=2e-3)
    east = (block.pointing.ra_deg - 83.6331) * math.cos(math.radians(22.0145))
    assert east == pytest.approx(0.5, abs=1e-3)


def test_rates_are_flux_times_area_times_solid_angle(write: Write) -> None:
    night = load_night(write(NIGHT))
    source, proton = night.populations
    # The integral of K E^-2 from 0.15 to 0.4 TeV is K (1/0.15 - 1/0.4).
    expected = 3.45e-10 * (1 / 0.15 - 1 / 0.4) * math.pi * 12000.0**2
    assert night.rate_hz(source) == pytest.approx(expected, rel=1e-5)
    integral = 9.8e-6 / 1.62 * (0.2**-1.62 - 2.0**-1.62)
    cone = 2 * math.pi * (1 - math.cos(math.radians(2.0)))
    assert night.rate_hz(proton) == pytest.approx(1e-4 * integral * cone * math.pi * 15000.0**2, rel=1e-5)


def test_spectra_are_drawn_as_they_are() -> None:
    sampler = EnergySampler(PowerLaw(amplitude=2.0, reference_tev=1.0, index=2.0), 0.1, 10.0)
    energy = sampler.draw(np.linspace(0.0, 1.0, 1001))
    # The share above E is (1/E - 1/10)/(10 - 1/10).
    assert np.allclose(1 - np.linspace(0, 1, 1001), (1 / energy - 0.1) / 9.9, atol=1e-5)
    bent = LogParabola(amplitude=1.0, reference_tev=2.0, alpha=2.0, beta=0.1)
    assert bent.flux(np.array([2.0, 2 * math.e])) == pytest.approx([1.0, math.exp(-2.1)])
    electron = LITERATURE["electron"].spectrum
    bump = math.exp(-0.5 * (0.101 / 0.741) ** 2)
    assert electron.flux(np.array([1.0]))[0] == pytest.approx(2.385e-9 * (1 + 1.95 * math.expm1(bump)))


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("array", "hegra", "array must be one of"),
        ("seed", None, "seed is missing"),
        ("seed", True, "not a whole number"),
        ("colour", "red", "colour is not a known key"),
        ("dead_time", 7, "without a unit"),
        ("dead_time", "7 m", "no quantity in s"),
        ("source.spectrum.amplitude", "3e-11 cm-2 s-1", "source.spectrum.amplitude"),
        ("source.spectrum.type", "broken", "power-law or log-parabola"),
        ("source.spectrum.beta", 0.1, "source.spectrum.beta is not a known key"),
        ("source.energy_max", "100 GeV", "source.energy_max must be above energy_min"),
        ("source.core_radius", "0 m", "source.core_radius"),
        ("background.fraction", 2.0, "background.fraction"),
        ("background.view_cone", "50 deg", "background.view_cone"),
        ("background.primaries.iron", {}, "background.primaries.iron is unknown"),
        ("background.primaries.proton.energy_min", "1 GeV", "energy_min must be at least 3 GeV"),
        ("blocks.0.duration", "-20 s", "blocks.duration must be above 0"),
        ("blocks.0.duration", "20 kpc", "no quantity in s"),
        ("blocks.0.start", "yesterday", "no time such as"),
        ("blocks.0.start", "2026-01-15T22:00:00", "has no time zone"),
        ("blocks.0.start", "2026-01-15T22:00:00.5Z", "whole second"),
        ("blocks.0.pointing", {"ra": "83 deg", "dec": "22 deg"}, "give one of the two"),
        ("blocks", [], "names no block"),
        ("target.dec", "95 deg", "target.dec"),
        ("target.name", "Crab\nSIMPLE", "in one line"),
        ("source.spectrum.amplitude", "1e300 cm-2 s-1 TeV-1", "amplitude must be above 0 and at most"),
        ("source.spectrum.index", 1e6, "index must be between"),
        ("source.spectrum.reference", "1 eV", "reference must be between"),
        ("source.ra", "263.6 deg", "source.dec is missing"),
        ("background.fraction", 10**400, "fraction must be a finite number"),
        ("background.fraction", float("nan"), "fraction must be a finite number"),
        ("blocks.0.start", "9999-12-31T23:59:59Z", "must be in the years"),
        ("blocks.0.start", "0001-01-01T00:00:00+14:00", "must be in the years"),
        ("dpps_observation", 2, "dpps_observation must be 1"),
    ],
)
def test_bad_nights_are_refused_by_key(write: Write, key: str, value: object, word: str) -> None:
    with pytest.raises(InvalidInput, match=word) as refusal:
        load_night(write(NIGHT, **{key.replace(".", "__"): value}))
    assert "Correct" in refusal.value.next_step
    assert refusal.value.code == "simpipe.observation-invalid"


def test_a_source_far_from_the_pointing_is_refused(write: Write) -> None:
    here = write(NIGHT, source__ra="83.6331 deg", source__dec="12.6 deg")
    assert load_night(here).source is not None
    # The wobble is to the East, with the right ascension across 0.
    place = {"pointing": {"ra": "359.9 deg", "dec": "0 deg"}, **NIGHT["blocks"][0]}
    del place["wobble"]
    near = write(NIGHT, source__ra="0.2 deg", source__dec="0 deg", blocks=[place])
    night = load_night(near)
    assert night.source is not None
    assert night.source.direction is not None
    assert night.source.direction.apart_deg(night.blocks[0].pointing) == pytest.approx(0.3, abs=1e-9)
    with pytest.raises(InvalidInput, match=r"source is 10\.\d deg from the pointing of obs_id 2000000456"):
        load_night(write(NIGHT, source__ra="83.6331 deg", source__dec="11.5 deg"))


def test_more_than_can_be_simulated_is_refused(write: Write) -> None:
    with pytest.raises(InvalidInput, match=r"background\.primaries\.proton gives .* at most 1e\+08"):
        load_night(write(NIGHT, background__fraction=1.0, blocks__0__duration="4 h", **_BROAD))


_BROAD = {
    "background__view_cone": "10 deg",
    "background__primaries__proton": {"energy_min": "10 GeV", "energy_max": "10 TeV", "core_radius": "2 km"},
}


def test_nights_without_known_orientation_of_the_earth_are_refused(write: Write, tmp_path: Path) -> None:
    path = write(NIGHT, blocks__0__start="2099-01-15T22:00:00Z")
    with pytest.raises(InvalidInput, match="no orientation of the Earth is known for 2099-01-15"):
        observe(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("start: 2026-02-30T22:00:00Z", "day is out of range"),
        ("seed: " + "9" * 5000, "digits"),
        ("seed: !!timestamp now", "cannot be read"),
        ("a: " + "[" * 700, "too deeply"),
        ("a: &a [*a]", "unfolds to more than"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + _BOMB, "unfolds to more than"),
        ("#" * 1_000_001, "larger than"),
    ],
)
def test_documents_that_are_made_to_break_readers_are_refused(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(text, encoding="utf-8")
    for read in (load_night, load_calibration_run, load_run):
        with pytest.raises(DamagedFile, match=word):
            read(path)


def test_bad_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.yaml"):
        load_night(tmp_path / "gone.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("dpps_observation: [1\n", encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"broken\.yaml"):
        load_night(broken)


@pytest.mark.parametrize(
    ("start", "word"),
    [("2026-01-15T10:00:00Z", "below the horizon"), ("2026-01-15T18:30:00Z", "too low")],
)
def test_a_source_that_is_too_low_is_refused(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], start: str, word: str
) -> None:
    path = write(NIGHT, blocks__0__start=start)
    assert main(["observe", str(path), "--output", str(tmp_path / "out"), "--json"]) != 0
    captured = capsys.readouterr()
    refusal = json.loads(captured.err)
    assert word in refusal["message"]
    assert refusal["identifiers"] == {"key": "blocks.start"}
    assert not (tmp_path / "out").exists()


def test_a_plan_simulates_nothing(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["observe", str(write(NIGHT)), "--output", str(tmp_path / "out"), "--dry-run"]
    assert main([*arguments, "--json"]) == 0
    (block,) = json.loads(capsys.readouterr().out)["blocks"]
    assert block["expected_showers"]["source"] == pytest.approx(13.0, abs=0.1)
    assert 73 < block["altitude_deg"][0] < 75
    assert main(arguments) == 0
    assert "showers expected" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


_MUONS = {
    "energy_min": "10 GeV",
    "energy_max": "1 TeV",
    "index": 2.0,
    "impact_max": "10 m",
    "view_cone": "1 deg",
    "throughput": 1.0,
}
_STARS = {
    "pointing": {"ra": "83 deg", "dec": "22 deg"},
    "pointing_offset": {"altitude": "400 deg", "azimuth": "0 deg"},
    "list": [],
}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"kind": "laser"}, "kind must be one of"),
        ({"kind": "flat-field"}, "flat_field is missing"),
        ({"telescopes": [7]}, "telescopes must be of"),
        ({"telescopes": "all"}, "telescopes is 'all'"),
        ({"events": 0}, "events must be between"),
        ({"rate": "100"}, "rate"),
        ({"pixels": {"gain_spread": 3.0}}, "pixels.gain_spread"),
        ({"flat_field": {"light": 75}}, "flat_field is not a known key"),
        ({"kind": "muon", "muon": {"energy_min": "1 GeV"}}, "muon.energy_max is missing"),
        ({"kind": "muon", "muon": {**_MUONS, "index": 1e6}}, "muon.index must be between"),
        ({"kind": "muon", "muon": {**_MUONS, "energy_max": "1 PeV"}}, "muon.energy_max must be at most"),
        ({"kind": "stars", "stars": _STARS}, "stars.pointing_offset.altitude and azimuth must be at most"),
        ({"rate": "1e-9 Hz"}, "rate is too low"),
        ({"start": "2150-01-01T00:00:00Z"}, "start must be in the years"),
    ],
)
def test_bad_calibration_runs_are_refused_by_key(write: Write, changes: dict[str, object], word: str) -> None:
    with pytest.raises(InvalidInput, match=word) as refusal:
        load_calibration_run(write(CALIBRATION, **changes))
    assert refusal.value.code == "simpipe.calibration-run-invalid"
