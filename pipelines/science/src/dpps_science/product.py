"""The spectrum as a file: flux points with the fitted model, the counts and their origin (ECSV)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from astropy.table import QTable, Table

from dpps.domain.steps import CorruptedInput, MissingInput
from dpps_science import __version__
from dpps_science.extraction import Counts, ThetaSquared
from dpps_science.files import write_whole
from dpps_science.fitting import FLUX_UNIT, Fitted
from dpps_science.observations import EventList
from dpps_science.selection import Selection

__all__ = ["Spectrum", "describe", "read_spectrum", "write_spectrum"]

FORMAT = "dpps-spectrum"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """A spectrum as a file holds it.

    Attributes
    ----------
    points : astropy.table.QTable
        Flux points.
    meta : dict
        What `describe` gives.
    """

    points: Any
    meta: dict[str, Any]

    @property
    def parameters(self) -> dict[str, tuple[float, float]]:
        """Fitted parameters: value and error by name."""
        fitted = self.meta["fit"]
        return {
            name: (float(value), float(error))
            for name, value, error in zip(
                fitted["parameters"], fitted["values"], fitted["errors"], strict=True
            )
        }


def describe(
    lists: Sequence[EventList],
    selection: Selection,
    counts: Counts,
    fitted: Fitted,
    theta: ThetaSquared,
) -> dict[str, Any]:
    """Say all that the flux points do not, as plain data.

    Parameters
    ----------
    lists : sequence of EventList
        What was read.
    selection, counts, fitted, theta
        What was made of it.

    Returns
    -------
    dict
    """
    return {
        "format": {"name": FORMAT, "version": FORMAT_VERSION},
        "software": f"dpps-science {__version__}",
        "simulated": any(one.simulated for one in lists),
        "target": {
            "name": selection.target.name,
            "ra_deg": selection.target.ra_deg,
            "dec_deg": selection.target.dec_deg,
        },
        "observations": [one.obs_id for one in lists],
        "live_seconds": counts.live_seconds,
        "on_radius_deg": selection.radius_deg,
        "on_radius_origin": selection.radius_origin,
        "energy_min_tev": selection.energy_min_tev,
        "energy_max_tev": selection.energy_max_tev,
        "energy_origin": selection.energy_origin,
        "counts": {
            "on": counts.on,
            "off": counts.off,
            "alpha": counts.alpha,
            "excess": counts.excess,
            "significance": counts.significance,
        },
        "fit": {
            "model": fitted.name,
            "reference_tev": fitted.reference_tev,
            "parameters": list(fitted.names),
            "units": {"amplitude": FLUX_UNIT},
            "values": fitted.values.tolist(),
            "errors": fitted.errors.tolist(),
            "covariance": fitted.covariance.tolist(),
            "statistic": fitted.statistic,
            "statistic_name": "wstat",
            "bins": fitted.n_bins,
        },
        "theta_squared": {
            "edges_deg2": np.round(theta.edges_deg2, 9).tolist(),
            "on": theta.on.astype(int).tolist(),
            "off": theta.off.astype(int).tolist(),
        },
    }


def write_spectrum(path: Path, spectrum: Spectrum) -> None:
    """Write a spectrum (ECSV), as a whole or not at all.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    # Columns with units rather than quantities: the header stays one that other readers of ECSV know.
    table = Table(spectrum.points, meta=spectrum.meta)
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    write_whole(path, text.getvalue().encode())


def read_spectrum(path: Path) -> Spectrum:
    """Read a spectrum.

    Raises
    ------
    MissingInput
        It is not there.
    CorruptedInput
        It is no spectrum of this program.
    """
    if not path.is_file():
        raise MissingInput("the file is not there", path=path)
    try:
        table = QTable.read(path, format="ascii.ecsv")
        kind = cast("dict[str, Any]", table.meta)["format"]
        known = kind == {"name": FORMAT, "version": FORMAT_VERSION}
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise CorruptedInput(f"it is no spectrum: {error}", "make it with dpps-science", path=path) from error
    if not known:
        raise CorruptedInput(f"its format is {kind}", "make it again with this version", path=path)
    meta = dict(table.meta)
    table.meta = {}
    return Spectrum(points=table, meta=meta)
