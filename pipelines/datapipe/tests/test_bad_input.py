"""What bad input gets: an exit code of the interface, the file and the reason; never a product."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tables
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable
from ctapipe.io import read_table, write_table

from .conftest import CONFIGURATION, Processed, Synthetic, step

type Words = Callable[[Synthetic, Path], list[str]]


def _cut_off(path: Path, folder: Path, part: float) -> str:
    """Give a copy that ends too early."""
    content = path.read_bytes()
    (folder / path.name).write_bytes(content[: int(len(content) * part)])
    return str(folder / path.name)


def _response(synthetic: Synthetic, **changes: str) -> list[str]:
    files = {
        "gamma-file": str(synthetic.folder / "gamma.h5"),
        "proton-file": str(synthetic.folder / "proton.h5"),
        "cuts": str(synthetic.selection),
        "config": str(CONFIGURATION.with_name("compute_irf.yaml")),
    }
    options = files | {name.replace("_", "-"): value for name, value in changes.items()}
    return ["compute-irf", *(word for name, value in options.items() for word in (f"--{name}", value))]


def _event_list(synthetic: Synthetic, *, irf: str, cuts: str) -> list[str]:
    files = ["--events", str(synthetic.observation), "--observation", str(synthetic.notes)]
    return ["make-dl3", *files, "--irf", irf, "--cuts", cuts]


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (
            lambda made, _: _response(made, gamma_file=str(made.folder / "proton.h5")),
            104,
            "proton.h5: its showers are not of gammas: primaries 101, not 0",
        ),
        (
            lambda made, _: _response(made, gamma_file=str(made.observation)),
            105,
            "observation.h5: its events are not simulated",
        ),
        (
            lambda made, folder: _response(made, cuts=_cut_off(made.selection, folder, 0.9)),
            104,
            "selection.fits.gz: truncated or no FITS file",
        ),
        (
            lambda made, folder: _event_list(
                made, irf=str(made.response), cuts=_cut_off(made.selection, folder, 0.9)
            ),
            104,
            "selection.fits.gz: truncated or no FITS file",
        ),
        (
            lambda made, folder: _event_list(
                made, irf=_cut_off(made.response, folder, 0.6), cuts=str(made.selection)
            ),
            104,
            "irf.fits.gz: truncated or no FITS file",
        ),
        (
            lambda made, _: ["train-energy-regressor", "--input", str(made.observation)],
            105,
            "observation.h5: its events are not simulated",
        ),
    ],
)
def test_wrong_and_truncated_files_are_named(
    words: Words,
    exit_code: int,
    message: str,
    synthetic: Synthetic,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "product.fits.gz"
    log = ("--provenance-log", str(tmp_path / "log"))
    assert step(*words(synthetic, tmp_path), "--output", str(output), *log) == exit_code
    assert message in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("part", "name", "message"),
    [
        (0.5, "", "truncated or no FITS file"),
        (0.0, "", "truncated or no FITS file"),
        (1.0, "events.fits.fz", "not read as events"),
    ],
)
def test_streams_that_do_not_read_are_named(
    part: float,
    name: str,
    message: str,
    processed: Processed,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = next(path for path in processed.hand_over.files if path.name.startswith("TEL001"))
    stream = Path(_cut_off(whole, tmp_path, part))
    stream = stream.rename(tmp_path / (name or stream.name))
    output = tmp_path / "out.h5"
    words = ["--config", str(CONFIGURATION), "--input", str(stream), "--output", str(output)]
    assert step("process", *words, "--provenance-log", str(tmp_path / "log")) == 104
    error = capsys.readouterr().err
    assert f"{stream}: {message}" in error
    assert not output.exists()


def test_a_stream_of_an_array_without_its_telescopes_is_refused(
    processed: Processed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = next(path for path in processed.hand_over.files if "_SUBARRAY_" in path.name)
    alone = tmp_path / whole.name
    alone.write_bytes(whole.read_bytes())
    output = tmp_path / "out.h5"
    words = ["--config", str(CONFIGURATION), "--input", str(alone), "--output", str(output)]
    assert step("process", *words, "--provenance-log", str(tmp_path / "log")) == 105
    assert f"{alone}: no stream of a telescope is found" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda hdus: hdus.pop("RAD_MAX"), "is point-like, but has no cut in direction"),
        (lambda hdus: hdus["RAD_MAX"].data["RAD_MAX"].fill(0.0), "RAD_MAX: 10 bins have no radius"),
    ],
)
def test_point_like_response_without_its_cut_is_refused(
    change: Callable[[fits.HDUList], None],
    message: str,
    point_like: Path,
    synthetic: Synthetic,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    response, output = tmp_path / "irf.fits", tmp_path / "events.fits"
    with fits.open(point_like) as hdus:
        change(hdus)
        hdus.writeto(response)
    words = _event_list(synthetic, irf=str(response), cuts=str(synthetic.selection))
    assert step(*words, "--output", str(output)) == 106
    assert message in capsys.readouterr().err
    mixed = _event_list(synthetic, irf=str(point_like), cuts=str(synthetic.selection))
    with fits.open(synthetic.response) as hdus:
        for hdu in hdus[1:]:
            hdu.header["ZEN_PNT"] = 5.0
        hdus.writeto(tmp_path / "full.fits")
    assert step(*mixed, "--irf", str(tmp_path / "full.fits"), "--output", str(output)) == 101
    assert "full.fits: HDUCLAS3 is FULL-ENCLOSURE" in capsys.readouterr().err
    assert not output.exists()


def _without_claim(hdus: fits.HDUList) -> None:
    for name in ("LO_THRES", "HI_THRES", "OFFSMAX"):
        del hdus["EFFECTIVE AREA"].header[name]


def _of_one_shower_a_bin(hdus: fits.HDUList) -> None:
    _without_claim(hdus)
    hdus["STATISTICS"].data["N_SHOWERS"] = 1


def _reversed_claim(hdus: fits.HDUList) -> None:
    hdus["EFFECTIVE AREA"].header.update({"LO_THRES": 50.0, "HI_THRES": 5.0})


def _without_unit(hdus: fits.HDUList) -> None:
    hdus["EFFECTIVE AREA"].columns["EFFAREA"].unit = None


def _claiming_its_background(hdus: fits.HDUList) -> None:
    hdus["EFFECTIVE AREA"].header["BKGCLAIM"] = True


@pytest.mark.parametrize(
    ("change", "exit_code", "message"),
    [
        (_of_one_shower_a_bin, 106, "bins rest on fewer than 25 distinct showers"),
        (_reversed_claim, 106, "the claimed range is empty: 50 to 5 TeV"),
        (_without_unit, 104, "column EFFAREA has no unit"),
        (_claiming_its_background, 106, "bins have no background in the claimed range"),
        (lambda hdus: hdus.pop("PSF"), 106, "the response has no point spread function"),
        (lambda hdus: hdus.pop("ENERGY DISPERSION"), 106, "the response has no energy dispersion"),
    ],
)
def test_a_response_that_cannot_be_used_makes_no_event_list(
    change: Callable[[fits.HDUList], object],
    exit_code: int,
    message: str,
    synthetic: Synthetic,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    response, output = tmp_path / "irf.fits", tmp_path / "events.fits"
    with fits.open(synthetic.response) as hdus:
        change(hdus)
        hdus.writeto(response)
    words = _event_list(synthetic, irf=str(response), cuts=str(synthetic.selection))
    assert step(*words, "--output", str(output)) == exit_code
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_a_claim_can_be_made_for_a_response_without_one(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    response, output = tmp_path / "irf.fits", tmp_path / "events.fits"
    with fits.open(synthetic.response) as hdus:
        _without_claim(hdus)
        for hdu in hdus[1:]:
            hdu.header.pop("BKGCLAIM", None)
        hdus.writeto(response)
    words = _event_list(synthetic, irf=str(response), cuts=str(synthetic.selection))
    words += [
        "--irf-energy-min",
        "0.1",
        "--irf-energy-max",
        "20",
        "--irf-offset-max",
        "3",
        "--output",
        str(output),
    ]
    assert step(*words) == 106
    assert "bins have no background" in capsys.readouterr().err
    assert step(*words, "--irf-without-background") == 0
    assert "WARNING: the response claims no background" in capsys.readouterr().err
    area = fits.getheader(output, "EFFECTIVE AREA")
    assert (area["LO_THRES"], area["HI_THRES"], area["OFFSMAX"]) == (0.1, 20.0, 3.0)
    assert (area["BKGCLAIM"], fits.getheader(output, "EVENTS")["BKGCLAIM"]) == (False, False)


def _rewritten(path: Path, folder: Path, node: str, change: Callable[[QTable], object]) -> Path:
    """Give a copy of an event file with a table changed."""
    copy = folder / f"changed-{path.name}"
    shutil.copyfile(path, copy)
    table = read_table(copy, node)
    change(table)
    write_table(table, copy, node, overwrite=True)
    return copy


def _in_metres(table: QTable) -> None:
    table["ExtraTreesRegressor_energy"] = np.asarray(table["ExtraTreesRegressor_energy"]) * u.m


def _without_units(table: QTable) -> None:
    table["ExtraTreesRegressor_energy"] = np.asarray(table["ExtraTreesRegressor_energy"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_in_metres, "the column ExtraTreesRegressor_energy is in m, not in TeV"),
        (_without_units, "the column ExtraTreesRegressor_energy has no unit, not in TeV"),
    ],
)
def test_energies_that_are_none_are_refused(
    change: Callable[[QTable], object],
    message: str,
    synthetic: Synthetic,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = "/dl2/event/subarray/energy/ExtraTreesRegressor"
    events = _rewritten(synthetic.observation, tmp_path, node, change)
    output = tmp_path / "events.fits"
    words = _event_list(
        replace(synthetic, observation=events), irf=str(synthetic.response), cuts=str(synthetic.selection)
    )
    assert step(*words, "--output", str(output)) == 104
    assert f"{events.name}: {message}" in capsys.readouterr().err
    assert not output.exists()


def test_one_identifier_of_several_events_is_refused(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.h5"
    shutil.copyfile(synthetic.observation, events)
    with tables.open_file(events, "r+") as file:
        for table in file.walk_nodes("/", "Table"):
            if "event_id" in table.colnames:
                table.modify_column(column=np.ones(table.nrows, dtype=np.int64), colname="event_id")
    output = tmp_path / "events.fits"
    words = _event_list(
        replace(synthetic, observation=events), irf=str(synthetic.response), cuts=str(synthetic.selection)
    )
    assert step(*words, "--output", str(output)) == 104
    assert "1 identifiers are of several events each, for example 1 of " in capsys.readouterr().err
    assert not output.exists()


def test_notes_of_another_block_are_refused(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes, output = tmp_path / "notes.yaml", tmp_path / "events.fits"
    text = synthetic.notes.read_text(encoding="utf-8")
    assert "obs_id: 2000000077\n" in text
    words = _event_list(
        replace(synthetic, notes=notes), irf=str(synthetic.response), cuts=str(synthetic.selection)
    )
    notes.write_text(text.replace("2000000077", "2000000777"), encoding="utf-8")
    assert step(*words, "--output", str(output)) == 104
    assert "notes.yaml: notes of observation block 2000000777, but the events are of 2000000077" in (
        capsys.readouterr().err
    )
    assert not output.exists()
    notes.write_text(text.replace("obs_id: 2000000077\n", ""), encoding="utf-8")
    assert step(*words, "--output", str(output)) == 0
    assert "WARNING: notes.yaml does not name its observation block (obs_id)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["train-particle-classifier", "--signal", "gamma.h5", "--background", "gamma.h5"],
            "gamma.h5: it has showers of gammas",
        ),
        (
            ["merge", "gamma.h5", "proton.h5"],
            "proton.h5: holds simulated showers of primaries 101, but ",
        ),
        (["merge", "gamma.h5", "observation.h5"], "observation.h5: holds observed events, but "),
    ],
)
def test_kinds_of_events_are_not_mixed(
    words: list[str], message: str, synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.h5"
    named = [str(synthetic.folder / word) if word.endswith(".h5") else word for word in words]
    assert step(*named, "--output", str(output), "--provenance-log", str(tmp_path / "log")) == 104
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_deviations_of_the_point_spread_function_are_told_and_none_is_lost(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "events.fits"
    words = _event_list(synthetic, irf=str(synthetic.response), cuts=str(synthetic.selection))
    assert step(*words, "--output", str(output)) == 0
    header = fits.getheader(output, "POINT SPREAD FUNCTION")
    assert 0.02 < header["PSFDEVCL"] <= header["PSFDEV"]
    assert f"differ by {header['PSFDEVCL']:.1%} in containment" in capsys.readouterr().err
    grid = []
    with fits.open(synthetic.response) as hdus, fits.open(output) as made:
        hdus["PSF"] = made["POINT SPREAD FUNCTION"]
        for zenith in (10.0, 20.0):
            for hdu in hdus[1:]:
                hdu.header["ZEN_PNT"] = zenith
            hdus.writeto(tmp_path / f"{zenith:.0f}.fits")
            grid += ["--irf", str(tmp_path / f"{zenith:.0f}.fits")]
    files = ["--events", str(synthetic.observation), "--observation", str(synthetic.notes)]
    files += ["--cuts", str(synthetic.selection), "--output", str(tmp_path / "grid.fits")]
    assert step("make-dl3", *files, *grid) == 101
    assert "of three Gaussians (PSF_3GAUSS) is not interpolated" in capsys.readouterr().err
