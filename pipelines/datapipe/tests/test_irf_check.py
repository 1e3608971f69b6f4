"""Responses that their statistics bear, and those that they do not."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable
from dpps_datapipe.command import main
from dpps_datapipe.dl3.psf import fit_three_gaussians
from dpps_datapipe.irf.check import check_response, table_containment
from dpps_datapipe.irf.findings import Limits
from dpps_datapipe.irf.plots import containment_radius_deg, energy_resolution
from dpps_datapipe.irf.reading import (
    BACKGROUND_STATISTICS,
    STATISTICS,
    Axis,
    Response,
    ResponseFile,
    responses_of,
)

from dpps.domain.steps import CorruptedInput

OFFICIAL = Path(__file__).parents[4] / "shared" / "data" / "irf"
ENERGY = Axis(low=np.array([0.1, 0.3, 1.0]), high=np.array([0.3, 1.0, 3.0]))
OFFSET = Axis(low=np.array([0.0, 1.0]), high=np.array([1.0, 2.0]))
MIGRATION = Axis(low=np.linspace(0.0, 1.9, 20), high=np.linspace(0.1, 2.0, 20))
RINGS = Axis(low=np.linspace(0.0, 0.99, 100), high=np.linspace(0.01, 1.0, 100))
THROWN_M2 = 1e6
WIDTH_DEG = 0.1


def _response(kind: str, name: str, axes: dict[str, Axis], values: dict[str, np.ndarray]) -> Response:
    header = fits.Header({"THROWNAR": THROWN_M2, "HDUCLAS4": kind})
    return Response(name=name, kind=kind, axes=axes, values=values, header=header)


def sound() -> dict[str, Response]:
    """A response without fault."""
    shape = (2, 3)
    plane = {"ENERG": ENERGY, "THETA": OFFSET}
    containment = 1.0 - np.exp(-0.5 * (RINGS.edges / WIDTH_DEG) ** 2)
    solid = 2.0 * np.pi * -np.diff(np.cos(np.radians(RINGS.edges)))
    density = np.diff(containment) / solid
    return {
        "area": _response("AEFF_2D", "EFFECTIVE AREA", plane, {"EFFAREA": np.full(shape, 2e5)}),
        "dispersion": _response(
            "EDISP_2D",
            "ENERGY DISPERSION",
            plane | {"MIGRA": MIGRATION},
            {"MATRIX": np.full((2, 20, 3), 0.5)},
        ),
        "psf": _response(
            "PSF_TABLE",
            "PSF",
            plane | {"RAD": RINGS},
            {"RPSF": np.broadcast_to(density[:, None, None], (100, *shape)).copy()},
        ),
        "background": _response("BKG_2D", "BACKGROUND", plane, {"BKG": np.full(shape, 1e-6)}),
        "statistics": _response(
            STATISTICS,
            STATISTICS,
            plane,
            {"N_EVENTS": np.full(shape, 80.0), "N_SHOWERS": np.full(shape, 40.0)},
        ),
        "counts": _response(
            BACKGROUND_STATISTICS,
            BACKGROUND_STATISTICS,
            plane,
            {"N_EVENTS": np.full(shape, 80.0), "N_SHOWERS": np.full(shape, 40.0)},
        ),
    }


def file_of(parts: dict[str, Response]) -> ResponseFile:
    return ResponseFile(path=Path("test.fits"), responses=tuple(parts.values()))


def changed(part: str, column: str, index: tuple[int, ...], value: float) -> ResponseFile:
    parts = sound()
    values = parts[part].values[column].copy()
    values[index] = value
    parts[part] = replace(parts[part], values={**parts[part].values, column: values})
    return file_of(parts)


def test_sound_response_is_accepted() -> None:
    assert check_response(file_of(sound()), Limits(needs_statistics=True)) == ()


@pytest.mark.parametrize(
    ("check", "part", "column", "index", "value"),
    [
        ("area-above-thrown", "area", "EFFAREA", (1, 2), 1.01e6),
        ("area-empty", "area", "EFFAREA", (1, 1), 0.0),
        ("area-not-a-number", "area", "EFFAREA", (1, 1), np.nan),
        ("too-few-showers", "statistics", "N_SHOWERS", (1, 2), 24.0),
        ("dispersion-not-normalised", "dispersion", "MATRIX", (1, 3, 2), 3.0),
        ("dispersion-negative", "dispersion", "MATRIX", (1, 3, 2), -0.1),
        ("containment-not-monotone", "psf", "RPSF", (3, 1, 2), -50.0),
        ("containment-not-one", "psf", "RPSF", (3, 1, 2), 9e5),
        ("background-not-a-number", "background", "BKG", (0, 0), -1.0),
        ("background-empty", "background", "BKG", (1, 0), 0.0),
    ],
)
def test_each_fault_is_named_with_its_bin(
    check: str, part: str, column: str, index: tuple[int, ...], value: float
) -> None:
    findings = {one.check: one for one in check_response(changed(part, column, index, value), Limits())}
    found = findings[check]
    assert found.refuses
    assert found.hdu == sound()[part].name
    if found.bins:
        (wrong,) = found.bins
        row = index[1] if part == "psf" else index[0]
        assert (wrong.offset_min_deg, wrong.offset_max_deg) == (OFFSET.low[row], OFFSET.high[row])
        assert (wrong.energy_min_tev, wrong.energy_max_tev) == (ENERGY.low[index[-1]], ENERGY.high[index[-1]])
        assert f"{ENERGY.low[index[-1]]:.3g}–{ENERGY.high[index[-1]]:.3g} TeV" in str(found)


def test_bins_outside_of_the_claim_do_not_matter() -> None:
    file = changed("statistics", "N_SHOWERS", (1, 2), 0.0)
    assert check_response(file, Limits(energy_max_tev=1.0)) == ()
    assert check_response(file, Limits(offset_max_deg=1.0)) == ()


def test_relative_error_sets_the_number_of_showers() -> None:
    assert Limits().min_showers == 25
    assert Limits(max_relative_error=0.1).min_showers == 100
    assert check_response(file_of(sound()), Limits(max_relative_error=0.1))[0].check == "too-few-showers"


def test_file_without_statistics_is_refused_where_they_are_needed() -> None:
    parts = sound()
    del parts["statistics"]
    (note,) = check_response(file_of(parts), Limits())
    assert (note.check, note.refuses) == ("statistics-unknown", False)
    assert check_response(file_of(parts), Limits(needs_statistics=True))[0].refuses


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            Limits(energy_min_tev=500.0, energy_max_tev=900.0),
            "no bin lies in the claimed range of 500",
        ),
        (Limits(energy_min_tev=1.0, energy_max_tev=0.3), "the claimed range is empty: 1 to 0.3 TeV"),
        (Limits(energy_min_tev=float("nan")), "the claimed range is empty: nan to"),
        (Limits(energy_max_tev=float("nan")), "to nan TeV"),
        (Limits(offset_max_deg=float("nan")), "offsets up to nan deg"),
        (Limits(offset_max_deg=-1.0), "offsets up to -1 deg"),
        (Limits(offset_max_deg=0.1), "no bin lies in the claimed range"),
    ],
)
def test_a_claim_without_any_bin_is_refused(limits: Limits, message: str) -> None:
    (found,) = check_response(file_of(sound()), limits)
    assert (found.check, found.refuses) == ("claim-empty", True)
    assert message in found.message


def test_reversed_claims_of_a_file_are_refused() -> None:
    parts = sound()
    parts["area"].header.update({"LO_THRES": 50.0, "HI_THRES": 5.0})
    assert [one.check for one in check_response(file_of(parts), Limits())] == ["claim-empty"]


@pytest.mark.parametrize("part", ["dispersion", "psf", "background"])
def test_what_a_response_must_have(part: str) -> None:
    parts = sound()
    del parts[part]
    (found,) = check_response(file_of(parts), Limits())
    assert (found.check, found.refuses) == ("kind-missing", True)
    parts["area"].header.update({"HDUCLAS3": "POINT-LIKE", "RAD_MAX": 0.1})
    refused = [one for one in check_response(file_of(parts), Limits()) if one.refuses]
    assert len(refused) == (1 if part == "dispersion" else 0)


def test_a_background_that_is_not_claimed_is_a_note() -> None:
    file = changed("background", "BKG", (1, 0), 0.0)
    assert [one.check for one in check_response(file, Limits())] == ["background-empty"]
    (note,) = check_response(file, Limits(claims_background=False))
    assert (note.check, note.refuses) == ("background-not-claimed", False)
    assert "rests on 240 showers" in note.message
    file.of_kind("AEFF_2D")[0].header["BKGCLAIM"] = False
    assert check_response(file, Limits()) == (note,)
    assert [one.check for one in check_response(file, Limits(claims_background=True))] == ["background-empty"]


def test_background_showers_are_counted() -> None:
    (note,) = check_response(changed("counts", "N_SHOWERS", (1, 2), 3.0), Limits())
    assert (note.check, note.refuses) == ("few-background-showers", False)
    assert "1–3 TeV × 1–2 deg: 3" in str(note)
    parts = sound()
    del parts["counts"]
    (unknown,) = check_response(file_of(parts), Limits())
    assert (unknown.check, unknown.refuses) == ("background-statistics-unknown", False)
    assert check_response(file_of(parts), Limits(needs_statistics=True))[0].refuses


def test_background_in_three_dimensions_is_looked_at_within_the_claimed_offset() -> None:
    edges = Axis(low=np.array([-2.0, -0.5, 0.5]), high=np.array([-0.5, 0.5, 2.0]))
    rate = np.full((3, 3, 3), 1e-6)
    rate[1, 1, 1] = 0.0  # DETY, DETX, energy
    parts = sound()
    axes = {"ENERG": ENERGY, "DETX": edges, "DETY": edges}
    parts["background"] = _response("BKG_3D", "BACKGROUND", axes, {"BKG": rate})
    assert check_response(file_of(parts), Limits()) == ()
    (found,) = check_response(file_of(parts), Limits(offset_max_deg=1.0))
    assert (found.check, found.refuses) == ("background-empty", True)
    assert "[0.3–1 TeV]" in str(found)


def test_values_without_a_unit_are_refused() -> None:
    plane = {"ENERG_LO": [[0.1]] * u.TeV, "ENERG_HI": [[1.0]] * u.TeV, "EFFAREA": [[[2e5]]]}
    area = fits.BinTableHDU(QTable(plane), name="EFFECTIVE AREA")
    area.header["HDUCLAS4"] = "AEFF_2D"
    with pytest.raises(CorruptedInput, match="column EFFAREA has no unit"):
        responses_of(Path("test.fits"), fits.HDUList([fits.PrimaryHDU(), area]))


def test_curves_of_a_known_response() -> None:
    parts = sound()
    radius = containment_radius_deg(parts["psf"])
    assert radius == pytest.approx(np.full((2, 3), WIDTH_DEG * np.sqrt(-2.0 * np.log(0.32))), abs=0.006)
    assert energy_resolution(parts["dispersion"]) == pytest.approx(np.full((2, 3), 0.68), abs=0.01)


def test_three_gaussians_keep_the_containment() -> None:
    containment = (
        1.0 - 0.7 * np.exp(-0.5 * (RINGS.edges / 0.05) ** 2) - 0.3 * np.exp(-0.5 * (RINGS.edges / 0.15) ** 2)
    )
    probability = np.array([np.diff(containment), np.zeros(100)])
    columns, deviation = fit_three_gaussians(RINGS, probability)
    assert deviation[0] < 0.01
    assert (columns["SCALE"][1], deviation[1]) == (0.0, 0.0)
    fitted = sum(
        columns["SCALE"][0] * amplitude * 2.0 * np.pi * np.radians(columns[f"SIGMA_{n}"][0]) ** 2
        for n, amplitude in ((1, 1.0), (2, columns["AMPL_2"][0]), (3, columns["AMPL_3"][0]))
    )
    assert fitted == pytest.approx(1.0)
    assert (np.diff(table_containment(sound()["psf"]), axis=0) >= 0.0).all()


def test_missing_and_truncated_files_have_their_exit_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check-irf", str(tmp_path / "nothing.fits")]) == 105
    truncated = tmp_path / "truncated.fits"
    truncated.write_bytes(b"SIMPLE  =                    T")
    assert main(["check-irf", str(truncated)]) == 104
    assert main(["check-irf"]) == 101
    assert "truncated.fits: truncated or no FITS file" in capsys.readouterr().err


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="no shared responses beside this checkout")
def test_official_response_is_accepted_where_it_is_filled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = OFFICIAL.glob("Prod5-North-20deg-*.fits.gz")
    inner = ["--energy-min", "0.04", "--energy-max", "100", "--offset-max", "4"]
    plot, report = tmp_path / "curves.png", tmp_path / "check.json"
    assert main(["check-irf", str(path), *inner, "--plot", str(plot), "--report", str(report)]) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert json.loads(report.read_text(encoding="utf-8"))["accepted"] is True
    # Beyond 4 degrees its lowest energies are empty, and it does not say that it leaves them out.
    capsys.readouterr()
    assert main(["check-irf", str(path), "--json"]) == 106
    answer = json.loads(capsys.readouterr().out)
    empty = next(one for one in answer["findings"] if one["check"] == "area-empty")
    assert all(one["offset_min_deg"] >= 4.0 for one in empty["bins"])
