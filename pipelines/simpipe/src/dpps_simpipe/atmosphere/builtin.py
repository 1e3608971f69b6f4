"""Profiles that need no file: five exponential layers."""

from dataclasses import dataclass

import numpy as np

from dpps.domain.errors import NotFound
from dpps_simpipe.atmosphere.profile import Atmosphere
from dpps_simpipe.compiled import FloatArray

__all__ = ["BUILT_IN", "FiveLayers", "built_in_atmosphere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FiveLayers:
    """Linsley's parameterisation: thickness T(h) = a + b exp(-h/c), in the last layer a - b h/c.

    Parameters
    ----------
    source : str
        Where the numbers are from.
    bottom : tuple of float
        Lower altitude of each layer in km.
    a, b : tuple of float
        Parameters in g/cm².
    c : tuple of float
        Scale heights in cm.
    """

    source: str
    bottom: tuple[float, ...]
    a: tuple[float, ...]
    b: tuple[float, ...]
    c: tuple[float, ...]

    def evaluate(self, altitude: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Give density (g/cm³) and thickness (g/cm²) at altitudes in m.

        Parameters
        ----------
        altitude : array
            Altitudes in m.

        Returns
        -------
        tuple of array
            Density and thickness.
        """
        centimetres = altitude * 100.0
        layer = np.clip(np.searchsorted(np.array(self.bottom) * 1e3, altitude, side="right") - 1, 0, 4)
        a, b, c = (np.array(values)[layer] for values in (self.a, self.b, self.c))
        falling = np.exp(-centimetres / c)
        linear = layer == 4
        density = np.where(linear, b / c, b / c * falling)
        thickness = np.where(linear, a - b * centimetres / c, a + b * falling)
        return density, thickness


#: Profiles by name. The refractivity follows CORSIKA: n-1 = 0.000283 density / density(0)
#: (D. Heck et al., FZKA 6019, section on Cherenkov options).
BUILT_IN = {
    "us-standard": FiveLayers(
        source="U.S. standard atmosphere, Linsley's parameters (D. Heck et al., FZKA 6019, table D.1)",
        bottom=(0.0, 4.0, 10.0, 40.0, 100.0),
        a=(-186.5562, -94.919, 0.61289, 0.0, 0.01128292),
        b=(1222.6562, 1144.9069, 1305.5948, 540.1778, 1.0),
        c=(994186.38, 878153.55, 636143.04, 772170.16, 1e9),
    ),
    "ctao-north-winter": FiveLayers(
        source="CORSIKA fit stored in a prod6 file of gammasim/simtools-tests (BSD-3-Clause)",
        bottom=(0.0, 4.0, 10.0, 25.0, 116.0),
        a=(-164.338047, -133.710280, -1.28699574, -3.24737162e-5, 3.09548486e-4),
        b=(1209.06805, 1178.33615, 1372.07593, 992.545733, 1.0),
        c=(994186.38, 963373.444, 636143.04, 683985.151, 3.87661402e10),
    ),
    "ctao-south-winter": FiveLayers(
        source="CORSIKA fit stored in a prod6 file of gammasim/simtools-tests (BSD-3-Clause)",
        bottom=(0.0, 9.75, 19.0, 46.0, 106.0),
        a=(-140.507760, -18.4376971, 0.217564847, -2.01796296e-4, 7.63128384e-4),
        b=(1178.04776, 1265.08431, 1349.22059, 703.744586, 1.0),
        c=(994186.38, 708915.051, 636143.04, 721127.964, 1.5724746e10),
    ),
}


def built_in_atmosphere(name: str) -> Atmosphere:
    """Make a built-in profile.

    Parameters
    ----------
    name : str
        One of `BUILT_IN`.

    Returns
    -------
    Atmosphere
        Profile on a 500 m grid up to 100 km.

    Raises
    ------
    NotFound
        No built-in profile has this name.
    """
    if name not in BUILT_IN:
        raise NotFound(
            f"there is no built-in atmosphere {name!r}",
            code="simpipe.atmosphere-unknown",
            next_step=f"Take one of {', '.join(sorted(BUILT_IN))}, or give a table file.",
            atmosphere=name,
        )
    altitude = np.arange(0.0, 100e3, 500.0)
    density, thickness = BUILT_IN[name].evaluate(altitude)
    return Atmosphere(
        name=name,
        altitude=altitude,
        density=density,
        thickness=thickness,
        refractivity=0.000283 * density / density[0],
    )
