"""What results are made with: versions of the software, version and checksum of the instrument model."""

from importlib.metadata import version

from dpps_simpipe.instrument import Array

__all__ = ["SOFTWARE", "made_with", "software_versions"]

#: What the numbers of a simulation depend on.
SOFTWARE = ("dpps-simpipe", "ctapipe", "numpy", "numba", "astropy")


def software_versions() -> dict[str, str]:
    """Give the versions of the software that numbers of a simulation depend on.

    Returns
    -------
    dict
        By name of the distribution.
    """
    return {name: version(name) for name in SOFTWARE}


def made_with(array: Array) -> dict[str, object]:
    """Give software and instrument model, for the settings of a result.

    Parameters
    ----------
    array : Array
        What is simulated.

    Returns
    -------
    dict
        ``software`` and ``instrument_model`` (version, sha256 of all its files).
    """
    return {
        "software": software_versions(),
        "instrument_model": {"version": array.version, "sha256": array.model_sha256},
    }
