"""Curves of a response, and the official ones that are shipped for comparison."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from dpps_datapipe.irf.reading import Axis, Response, ResponseFile
from dpps_datapipe.irf.reference import ENERGY_EDGES_TEV, curves_of, reference_curves

WIDTH_DEG = 0.1
FINE = 10.0 ** (np.arange(-10, 1) / 10.0)  # ten bins of a tenth of a decade: 0.1 to 1 TeV
ENERGY = Axis(low=FINE[:-1], high=FINE[1:])
OFFSET = Axis(low=np.array([0.0, 1.0]), high=np.array([1.0, 2.0]))
MIGRATION = Axis(low=np.linspace(0.0, 1.99, 200), high=np.linspace(0.01, 2.0, 200))
RINGS = Axis(low=np.linspace(0.0, 0.998, 500), high=np.linspace(0.002, 1.0, 500))
PIXELS = Axis(low=np.linspace(-2.0, 1.9, 40), high=np.linspace(-1.9, 2.0, 40))


def _response(kind: str, axes: dict[str, Axis], values: dict[str, np.ndarray]) -> Response:
    return Response(name=kind, kind=kind, axes=axes, values=values, header=fits.Header({"HDUCLAS4": kind}))


def known_response() -> ResponseFile:
    """A response whose curves are known: Gaussian dispersion and direction, flat area."""
    plane = {"ENERG": ENERGY, "THETA": OFFSET}
    shape = (2, 10)
    centre = 0.5 * (MIGRATION.low + MIGRATION.high)
    dispersion = np.exp(-0.5 * ((centre - 1.1) / 0.15) ** 2) / (0.15 * np.sqrt(2.0 * np.pi))
    solid = 2.0 * np.pi * -np.diff(np.cos(np.radians(RINGS.edges)))
    density = np.diff(1.0 - np.exp(-0.5 * (RINGS.edges / WIDTH_DEG) ** 2)) / solid
    area = np.stack([np.linspace(1e5, 1e6, 10), np.zeros(10)])
    x = 0.5 * (PIXELS.low + PIXELS.high)
    # 2e-6 per second, MeV and steradian below a degree, nothing beyond.
    near = np.where(np.hypot(x[:, None], x[None, :]) < 1.0, 2e-6, 0.0)
    return ResponseFile(
        path=Path("known.fits"),
        responses=(
            _response("AEFF_2D", plane, {"EFFAREA": area}),
            _response(
                "EDISP_2D",
                plane | {"MIGRA": MIGRATION},
                {"MATRIX": np.broadcast_to(dispersion[:, None], (2, 200, 10)).copy()},
            ),
            _response(
                "PSF_TABLE",
                plane | {"RAD": RINGS},
                {"RPSF": np.broadcast_to(density[:, None, None], (500, *shape)).copy()},
            ),
            _response(
                "BKG_3D",
                {"ENERG": ENERGY, "DETX": PIXELS, "DETY": PIXELS},
                {"BKG": np.broadcast_to(near[:, :, None], (40, 40, 10)).copy()},
            ),
        ),
    )


def test_the_curves_of_a_known_response_are_those_it_was_made_with() -> None:
    curves = curves_of(known_response())
    known = np.isfinite(curves["effective_area"].value)
    # Bins of ours that hold centres of its bins: from 0.0794 to 1.26 TeV.
    assert known.sum() == 6
    inner = np.flatnonzero(known)[1:-1]
    area = np.linspace(1e5, 1e6, 10)
    assert curves["effective_area"][inner].to_value("m2") == pytest.approx(
        area[1:9].reshape(4, 2).mean(axis=1)
    )
    assert np.allclose(curves["energy_bias"][inner], 0.1, atol=0.01)
    assert np.allclose(curves["energy_resolution"][inner], 0.15 * 0.9945, atol=0.01)
    radius = WIDTH_DEG * np.sqrt(-2.0 * np.log(0.32))
    assert np.allclose(curves["angular_resolution"][inner].to_value("deg"), radius, atol=0.003)
    widths = np.diff(ENERGY_EDGES_TEV)[inner] * 1e6
    assert np.allclose(curves["background_rate"][inner].to_value("s-1 sr-1"), 2e-6 * widths, rtol=1e-5)


def test_a_response_without_background_has_no_rate() -> None:
    known = known_response()
    curves = curves_of(ResponseFile(path=known.path, responses=known.responses[:1]))
    assert np.isnan(curves["background_rate"].value).all()
    assert np.isnan(curves["angular_resolution"].value).all()


def test_the_official_curves_name_their_authors_and_licence() -> None:
    curves = reference_curves()
    assert curves.meta["licence"] == "CC BY 4.0"
    assert curves.meta["doi"] == "10.5281/zenodo.5499840"
    assert "Cherenkov Telescope Array Observatory" in curves.meta["authors"]
    one_tev = curves[np.searchsorted(curves["energy_max"].to_value("TeV"), 1.0)]
    assert 3e5 * u.m**2 < one_tev["effective_area"] < 6e5 * u.m**2
    assert 0.03 * u.deg < one_tev["angular_resolution"] < 0.1 * u.deg
