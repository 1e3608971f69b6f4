"""Spectra of self-made event lists, and what is refused."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from dpps_science.command import main
from dpps_science.extraction import extract
from dpps_science.fitting import fit
from dpps_science.observations import common_target, read_event_lists
from dpps_science.product import Spectrum, read_spectrum
from dpps_science.selection import choose_selection
from dpps_science.testing.event_lists import DEC, PSF_DEG, RA, Made, cut_deg, write_event_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """An analysed pair of observations."""

    folder: Path
    spectrum: Spectrum


@pytest.fixture(scope="session")
def analysis(pair: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    folder = tmp_path_factory.mktemp("spectrum")
    words = ["spectrum", "--dl3", *map(str, pair), "--output", str(folder / "spectrum.ecsv")]
    words += ["--plots", str(folder / "plots"), "--provenance-log", str(folder / "log")]
    assert main(words) == 0
    return Analysis(folder=folder, spectrum=read_spectrum(folder / "spectrum.ecsv"))


def test_the_injected_spectrum_comes_back(analysis: Analysis) -> None:
    parameters = analysis.spectrum.parameters
    for name, truth in (("amplitude", Made().amplitude), ("index", Made().index)):
        value, error = parameters[name]
        assert abs(value - truth) < 3.0 * error
        assert error < 0.1 * value


def test_region_and_energies_follow_from_the_response(analysis: Analysis) -> None:
    meta = analysis.spectrum.meta
    assert (meta["energy_min_tev"], meta["energy_max_tev"]) == (0.1, 20.0)
    # 80 % of a Gaussian of two dimensions.
    assert meta["on_radius_deg"] == pytest.approx(PSF_DEG * np.sqrt(-2.0 * np.log(0.2)), rel=0.03)


@pytest.fixture(scope="module")
def point_like(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same observations with a response after a cut in direction that varies with the energy."""
    folder = tmp_path_factory.mktemp("point-like")
    return [
        write_event_list(folder / f"{number}.fits", Made(obs_id=number, wobble_deg=wobble, point_like=True))
        for number, wobble in ((1, 0.5), (2, -0.5))
    ]


def test_a_cut_that_varies_with_the_energy_gives_the_injected_spectrum(point_like: list[Path]) -> None:
    lists = read_event_lists(point_like)
    selection = choose_selection(lists, common_target(lists))
    assert selection.radius_deg == pytest.approx(cut_deg(0.1), rel=0.03)
    assert selection.radius_origin.endswith("0.0537 to 0.155 deg with the energy")
    counts = extract(lists, selection)
    # At a distance of 0.5 degrees eight more circles of the largest radius fit on the ring.
    assert counts.alpha == pytest.approx(1.0 / 8.0)
    fitted = fit(counts, selection, "power-law", 1.0)
    for name, value, error in zip(fitted.names, fitted.values, fitted.errors, strict=True):
        assert abs(value - getattr(Made(), name)) < 3.0 * error
        assert error < 0.1 * value


def test_point_like_responses_keep_their_own_cut(
    pair: list[Path], point_like: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = _refused(point_like, tmp_path, capsys, "--on-radius", "0.3")
    assert (code, "leave --on-radius out" in message) == (101, True)
    code, message = _refused([pair[0], point_like[1]], tmp_path, capsys)
    assert code == 101
    assert "north.fits: its response is full-enclosure" in message
    assert "2.fits point-like" in message
    near = write_event_list(tmp_path / "near.fits", Made(wobble_deg=0.1, point_like=True, background=50))
    code, message = _refused([near], tmp_path, capsys)
    assert (code, "free for the background" in message) == (106, True)


def test_flux_points_lie_on_the_injected_spectrum(analysis: Analysis) -> None:
    points = analysis.spectrum.points
    seen = points["sqrt_ts"] > 5.0
    energy = points["e_ref"][seen].to_value("TeV")
    flux, error = (points[name][seen].to_value("cm-2 s-1 TeV-1") for name in ("dnde", "dnde_err"))
    pulls = (flux - Made().amplitude * energy ** -Made().index) / error
    assert len(pulls) >= 6
    assert np.sqrt(np.mean(pulls**2)) < 2.0


def test_squared_distances_count_source_and_mirror(analysis: Analysis) -> None:
    theta = analysis.spectrum.meta["theta_squared"]
    on, off = np.array(theta["on"]), np.array(theta["off"])
    assert on[0] > 10 * off[0]
    # Far from both there is background alone: 1500 events a time, of which 1.5 degrees around hold all.
    assert abs(on[20:].sum() - off[20:].sum()) < 4.0 * np.sqrt(on[20:].sum() + off[20:].sum())


def test_the_record_names_what_was_read_and_made(analysis: Analysis) -> None:
    (activity,) = json.loads((analysis.folder / "log").read_text())
    assert [Path(one["url"]).name for one in activity["input"]] == ["north.fits", "south.fits"]
    assert {Path(one["url"]).name for one in activity["output"]} == {
        "spectrum.ecsv",
        "theta_squared.png",
        "spectrum.png",
    }
    assert activity["system"]["gammapy_version"].startswith("2.")


def _night(path: Path, **changed: Any) -> Path:
    spectrum = {
        "type": "power-law",
        "amplitude": f"{Made().amplitude} cm-2 s-1 TeV-1",
        "reference": "1 TeV",
        "index": Made().index,
        **changed,
    }
    path.write_text(
        yaml.safe_dump(
            {"dpps_observation": 1, "source": {"spectrum": spectrum}, "background": {"fraction": 0.01}}
        )
    )
    return path


def test_pulls_are_differences_over_errors(analysis: Analysis, tmp_path: Path) -> None:
    night, result = _night(tmp_path / "night.yaml"), tmp_path / "comparison.json"
    words = ["compare", str(analysis.folder / "spectrum.ecsv"), "--injected", str(night)]
    assert main([*words, "--output", str(result), "--plot", str(tmp_path / "plot.png")]) == 0
    compared = json.loads(result.read_text())
    assert compared["background_fraction"] == 0.01
    for one in compared["parameters"]:
        value, error = analysis.spectrum.parameters[one["name"]]
        truth = getattr(Made(), one["name"])
        assert one["injected"] == pytest.approx(truth)
        assert one["pull"] == pytest.approx((value - truth) / error)
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_another_model_is_not_compared(
    analysis: Analysis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    night = _night(tmp_path / "night.yaml", type="log-parabola", alpha=2.5, beta=0.1)
    assert main(["compare", str(analysis.folder / "spectrum.ecsv"), "--injected", str(night)]) == 101
    assert "a power-law was fitted, a log-parabola injected" in capsys.readouterr().err


def _refused(
    paths: list[Path], folder: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, str]:
    output = folder / "refused.ecsv"
    code = main(["spectrum", "--dl3", *map(str, paths), "--output", str(output), *options])
    assert not output.exists()
    return code, capsys.readouterr().err


def test_unusable_files_are_refused_by_name(
    pair: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = pair[0].read_bytes()
    (tmp_path / "short.fits").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.fits").write_text("no FITS")
    write_event_list(tmp_path / "bare.fits", Made(background=5), leave_out="ENERGY DISPERSION")
    write_event_list(tmp_path / "blind.fits", Made(amplitude=1e-30, background=0))
    for name, expected, reason in (
        ("nowhere.fits", 105, "not there"),
        ("short.fits", 104, "truncated"),
        ("text.fits", 104, "no FITS file"),
        ("bare.fits", 105, "no energy dispersion"),
        ("blind.fits", 106, "no events"),
    ):
        code, message = _refused([tmp_path / name], tmp_path, capsys)
        assert (code, name in message, reason in message) == (expected, True, True), message


def test_observations_that_do_not_belong_together_are_refused(
    pair: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = _refused([pair[0], pair[0]], tmp_path, capsys)
    assert code == 101
    assert "give each observation once" in message
    other = write_event_list(tmp_path / "other.fits", Made(obs_id=9, target_dec=DEC + 1.0))
    code, message = _refused([pair[0], other], tmp_path, capsys)
    assert code == 101
    assert "1.000 deg away" in message


def test_a_source_that_is_not_seen_has_no_spectrum(
    pair: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--target-ra", str(RA), "--target-dec", str(DEC + 0.35), "--on-radius", "0.1")
    code, message = _refused(pair, tmp_path, capsys, *place)
    assert code == 106
    assert "is not seen" in message


def test_without_a_background_region_there_is_no_spectrum(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    centred = write_event_list(tmp_path / "centred.fits", Made(wobble_deg=0.0, background=50))
    code, message = _refused([centred], tmp_path, capsys)
    assert code == 106
    assert "free for the background" in message
