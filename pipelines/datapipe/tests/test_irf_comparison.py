"""Curves of a response beside the official ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io.fits import Header
from dpps_datapipe.irf.comparison import compare_curves, plot_comparison
from dpps_datapipe.irf.reading import Axis, Response, ResponseFile
from dpps_datapipe.irf.reference import ENERGY_EDGES_TEV, reference_curves
from dpps_datapipe.origins import Origins, Place

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


@pytest.mark.parametrize(
    ("zenith", "place", "said"),
    [
        (20.0, Place(longitude_deg=-17.89, latitude_deg=28.76, height_m=2147.0), []),
        (
            40.0,
            Place(longitude_deg=-70.32, latitude_deg=-24.68, height_m=2162.0),
            ["is of CTAO-South, prod5 of CTAO-North", "is of zenith 40 deg, prod5 of 20 deg"],
        ),
        (
            21.0,
            Place(longitude_deg=16.5, latitude_deg=-23.27, height_m=1800.0),
            ["is of latitude -23.27 deg, longitude 16.50 deg, prod5"],
        ),
        (None, None, ["is of a site that it does not name", "is of a zenith angle that it does not name"]),
    ],
)
def test_another_site_or_zenith_is_said(zenith: float | None, place: Place | None, said: list[str]) -> None:
    file = replace(_response((0.1, 10.0)), origins=Origins(place=place))
    if zenith is not None:
        file.responses[0].header["ZEN_PNT"] = zenith
    found = compare_curves(file)["warnings"]
    assert len(found) == len(said)
    assert all(f"irf.fits {words}" in one for words, one in zip(said, found, strict=True))


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
