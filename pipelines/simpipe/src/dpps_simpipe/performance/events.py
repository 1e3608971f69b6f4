"""Reconstructed events of a population and what was thrown for them."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from dpps.domain.errors import DamagedFile
from dpps_simpipe.compiled import FloatArray

__all__ = ["Events", "Thrown", "read_events", "select"]

_ENERGY, _GAMMANESS = "ExtraTreesRegressor", "ExtraTreesClassifier"
_DIRECTION = "HillasReconstructor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thrown:
    """The thrown showers of a population.

    Attributes
    ----------
    showers : int
        Number, cores counted each.
    energy_min_tev, energy_max_tev : float
        Limits of their energy in TeV.
    spectral_index : float
        Of dN/dE.
    area_m2 : float
        Area of the disc of cores in m².
    solid_angle_sr : float
        Solid angle of the cone of directions in sr; 0: one direction.
    """

    showers: int
    energy_min_tev: float
    energy_max_tev: float
    spectral_index: float
    area_m2: float
    solid_angle_sr: float

    def between(self, low_tev: float, high_tev: float) -> float:
        """Give the expected number of showers between two energies in TeV."""
        power = self.spectral_index + 1.0
        low, high = max(low_tev, self.energy_min_tev), min(high_tev, self.energy_max_tev)
        if high <= low:
            return 0.0
        if power == 0.0:
            part = math.log(high / low) / math.log(self.energy_max_tev / self.energy_min_tev)
        else:
            part = (high**power - low**power) / (self.energy_max_tev**power - self.energy_min_tev**power)
        return self.showers * part

    def density(self, energy_tev: FloatArray) -> FloatArray:
        """Give the thrown showers per TeV at energies in TeV."""
        power = self.spectral_index + 1.0
        if power == 0.0:
            norm = math.log(self.energy_max_tev / self.energy_min_tev)
        else:
            norm = (self.energy_max_tev**power - self.energy_min_tev**power) / power
        return np.asarray(self.showers * energy_tev**self.spectral_index / norm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Triggered events; all arrays of shape ``(n,)``.

    Attributes
    ----------
    thrown : Thrown
        What they come from.
    true_energy_tev : array
        True energy in TeV.
    energy_tev : array
        Reconstructed energy in TeV; NaN: none.
    error_deg : array
        Angle between true and reconstructed direction in degrees; NaN: none.
    offset_deg : array
        Angle between the reconstructed direction and the pointing in degrees.
    gammaness : array
        Score, 1 is most like a gamma.
    multiplicity : array of int
        Telescopes that the direction rests on.
    is_valid : array of bool
        Whether direction, energy and gammaness could be reconstructed.
    """

    thrown: Thrown
    true_energy_tev: FloatArray
    energy_tev: FloatArray
    error_deg: FloatArray
    offset_deg: FloatArray
    gammaness: FloatArray
    multiplicity: NDArray[np.int64]
    is_valid: NDArray[np.bool_]


def _thrown(path: Path, runs: Any) -> Thrown:
    """Sum up the thrown showers of the runs of a file; they must be alike."""
    values: dict[str, float] = {}
    for name, unit in (
        ("energy_range_min", "TeV"), ("energy_range_max", "TeV"), ("max_scatter_range", "m"),
        ("max_viewcone_radius", "rad"), ("spectral_index", ""),
    ):  # fmt: skip
        column = u.Quantity(runs[name]).to_value(unit or u.dimensionless_unscaled)
        if not np.allclose(column, column[0], rtol=1e-6):
            raise DamagedFile(
                f"{path} mixes runs: {name} differs",
                code="simpipe.mixed-runs",
                next_step="Merge runs of one population only.",
                path=path,
            )
        values[name] = float(column[0])
    return Thrown(
        showers=int((np.asarray(runs["n_showers"]) * np.asarray(runs["shower_reuse"])).sum()),
        energy_min_tev=values["energy_range_min"],
        energy_max_tev=values["energy_range_max"],
        spectral_index=values["spectral_index"],
        area_m2=math.pi * values["max_scatter_range"] ** 2,
        solid_angle_sr=2.0 * math.pi * (1.0 - math.cos(values["max_viewcone_radius"])),
    )


def _separation_deg(
    alt: FloatArray, az: FloatArray, other_alt: FloatArray, other_az: FloatArray
) -> FloatArray:
    """Give the angle between directions in degrees; arguments in radians (haversine formula)."""
    half = (
        np.sin((alt - other_alt) / 2.0) ** 2
        + np.cos(alt) * np.cos(other_alt) * np.sin((az - other_az) / 2.0) ** 2
    )
    return np.asarray(np.degrees(2.0 * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))))


def read_events(path: Path) -> Events:
    """Read the events of a population with energy and gammaness.

    Parameters
    ----------
    path : Path
        Merged HDF5 file to which the models were applied.

    Returns
    -------
    Events
        All that triggered.

    Raises
    ------
    DamagedFile
        The file mixes runs.
    """
    from ctapipe.io import TableLoader

    with TableLoader(path) as loader:
        table = loader.read_subarray_events(dl2=True, simulated=True)
        runs = loader.read_simulation_configuration()
    angles = {
        name: table[name].quantity.to_value(u.rad)
        for name in ("true_alt", "true_az", f"{_DIRECTION}_alt", f"{_DIRECTION}_az")
    }
    alt, az = angles[f"{_DIRECTION}_alt"], angles[f"{_DIRECTION}_az"]
    pointing = [float(runs[name].quantity[0].to_value(u.rad)) for name in ("max_alt", "max_az")]
    valid = [np.asarray(table[f"{name}_is_valid"]) for name in (_ENERGY, _GAMMANESS, _DIRECTION)]
    return Events(
        thrown=_thrown(path, runs),
        true_energy_tev=table["true_energy"].quantity.to_value(u.TeV),
        energy_tev=table[f"{_ENERGY}_energy"].quantity.to_value(u.TeV),
        error_deg=_separation_deg(alt, az, angles["true_alt"], angles["true_az"]),
        offset_deg=_separation_deg(alt, az, np.full_like(alt, pointing[0]), np.full_like(az, pointing[1])),
        gammaness=np.asarray(table[f"{_GAMMANESS}_prediction"]),
        multiplicity=np.asarray(table[f"{_DIRECTION}_telescopes"]).sum(axis=1),
        is_valid=np.logical_and.reduce(valid),
    )


def select(events: Events, selection: Path) -> NDArray[np.bool_]:
    """Apply the cut in gammaness.

    Parameters
    ----------
    events : Events
        Events.
    selection : Path
        Cuts, as ``dpps-datapipe optimize-event-selection`` writes them.

    Returns
    -------
    array of bool
        Which events are valid and pass. Shape ``(n,)``.
    """
    import operator

    from ctapipe.irf import OptimizationResult
    from pyirf.cuts import evaluate_binned_cut

    cuts = OptimizationResult.read(selection).gh_cuts
    passed = evaluate_binned_cut(events.gammaness, events.energy_tev * u.TeV, cuts, operator.ge)
    return np.asarray(passed & events.is_valid)
