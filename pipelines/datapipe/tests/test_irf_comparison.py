"""Curves of a response beside the official ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io.fits import Header
from dpps_datapipe.irf.comparison import compare_curves, plot_comparison
from dpps_datapipe.irf.reading import Axis, Response, ResponseFile
from dpps_datapipe.irf.reference import ENERGY_EDGES_TEV, reference_curves

from dpps.domain.steps import ConfigurationError, MissingInput, StorageError


def _response(claim: tuple[float, float]) -> ResponseFile:
    """Give a response with twice the area of prod5, that claims a range of energies."""
    header = Header()
    header["LO_THRES"], header["HI_THRES"] = claim
    area = reference_curves()["effective_area"].to_value("m2")
    response = Response(
        name="EFFECTIVE AREA",
        kind="AEFF_2D",
        axes={
            "ENERG": Axis(low=ENERGY_EDGES_TEV[:-1], high=ENERGY_EDGES_TEV[1:]),
            "THETA": Axis(low=np.array([0.0]), high=np.array([1.0])),
        },
        values={"EFFAREA": 2.0 * area[np.newaxis]},
        header=header,
    )
    return ResponseFile(path=Path("irf.fits"), responses=(response,))


def test_ratios_are_those_of_the_claimed_bins() -> None:
    answer = compare_curves(_response((ENERGY_EDGES_TEV[6], ENERGY_EDGES_TEV[12])))
    assert answer["energy_min_tev"] == pytest.approx(ENERGY_EDGES_TEV[6:12].tolist())
    assert answer["ratios"]["effective_area"] == pytest.approx([2.0] * 6)
    assert answer["ratios"]["angular_resolution"] == [None] * 6
    assert "CC BY" in answer["reference"]["licence"]


def test_a_response_without_a_whole_bin_is_not_compared() -> None:
    file = _response((ENERGY_EDGES_TEV[6] * 1.1, ENERGY_EDGES_TEV[7]))
    with pytest.raises(MissingInput, match="no whole bin"):
        compare_curves(replace(file, path=Path("narrow.fits")))


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    plot_comparison(_response((0.1, 10.0)), tmp_path / "curves.png", "ours")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "error"), [("curves.xyz", ConfigurationError), ("nowhere/curves.png", StorageError)]
)
def test_a_picture_that_cannot_be_written_is_an_error(
    tmp_path: Path, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=name.rpartition("/")[2]):
        plot_comparison(_response((0.1, 10.0)), tmp_path / name, "ours")
    assert not list(tmp_path.iterdir())
