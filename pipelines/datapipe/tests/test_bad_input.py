"""What bad input gets: an exit code of the interface, the file and the reason; never a product."""

from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.io import fits

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
