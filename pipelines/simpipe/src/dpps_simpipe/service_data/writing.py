"""Write the service-data folder of arrays."""

import filecmp
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import astropy.units as u
from astropy.table import QTable

from dpps.domain.errors import Conflict, InvalidInput
from dpps_simpipe.instrument import (
    Array,
    Telescope,
    load_array,
    optics_description,
    reference_location,
)
from dpps_simpipe.service_data.references import ELEMENTS, INSTRUMENT, POSITIONS, SUBARRAYS, reference

__all__ = ["write_service_data"]

#: Sites in the words of service data.
_SITES = {"CTAO-NORTH": "CTAO-North", "CTAO-SOUTH": "CTAO-South"}


def write_service_data(array: str | Sequence[str], folder: Path, model: str | Path = "") -> Path:
    """Write what ``ctapipe.instrument.SubarrayDescription.from_service_data`` reads.

    The same arrays give the same bytes at every run.

    Parameters
    ----------
    array : str or sequence of str
        Arrays of the instrument model; several may share telescopes.
    folder : Path
        Where the folder ``instrument`` is made.
    model : str or Path
        Version of the package, or a folder; empty: the newest of the package.

    Returns
    -------
    Path
        The folder ``instrument``: what ``CTAPIPE_SVC_PATH`` must name.

    Raises
    ------
    NotFound
        There is no such array.
    InvalidInput
        No array is given.
    Conflict
        The folder is there with other contents.
    """
    names = (array,) if isinstance(array, str) else tuple(array)
    arrays = tuple(load_array(name, model) for name in names)
    if not arrays:
        raise InvalidInput(
            "no array is given", code="simpipe.array-missing", next_step="Name at least one array."
        )
    target = folder / "instrument"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".instrument-", dir=folder) as place:
        written = Path(place) / "instrument"
        _write(arrays, written)
        if not target.exists():
            written.rename(target)
        elif not _equal(written, target):
            raise Conflict(
                f"{target} is there and describes something else",
                code="simpipe.service-data-exists",
                next_step="Give a folder without it.",
                path=target,
            )
    return target


def _equal(one: Path, other: Path) -> bool:
    """Tell whether two folders hold the same files with the same bytes."""
    names = {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
    if names != {path.relative_to(other) for path in other.rglob("*") if path.is_file()}:
        return False
    return all(filecmp.cmp(one / name, other / name, shallow=False) for name in names)


def _write(arrays: tuple[Array, ...], folder: Path) -> None:
    sites = sorted({_SITES[one.site] for one in arrays})
    everywhere = ",".join(sites)
    telescopes = {telescope.tel_id: telescope for one in arrays for telescope in one.telescopes}
    (folder / "positions").mkdir(parents=True)
    _write_json(folder / "instrument.meta.json", reference(INSTRUMENT, arrays, everywhere))
    _write_json(
        folder / "array-element-ids.json",
        {
            "metadata": reference(ELEMENTS, arrays, everywhere),
            "array_elements": [{"id": one, "name": telescopes[one].name} for one in sorted(telescopes)],
        },
    )
    _write_json(
        folder / "subarray-ids.json",
        {
            "metadata": reference(SUBARRAYS, arrays, everywhere),
            "subarrays": [
                {
                    "id": one.subarray_id,
                    "name": one.name,
                    "site": _SITES[one.site],
                    "array_element_ids": [telescope.tel_id for telescope in one.telescopes],
                }
                for one in arrays
            ],
        },
    )
    for site in sites:
        _write_positions(tuple(one for one in arrays if _SITES[one.site] == site), site, folder)
    for telescope in telescopes.values():
        _write_element(telescope, folder / "array-elements" / f"{telescope.tel_id:03d}")


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _write_positions(arrays: tuple[Array, ...], site: str, folder: Path) -> None:
    """Write the places of a site's telescopes in ctapipe's ground frame: North, West, up."""
    locations = {reference_location(one) for one in arrays}
    if len(locations) > 1:
        raise Conflict(
            f"{', '.join(one.name for one in arrays)} have different reference points",
            code="simpipe.reference-points-differ",
            next_step="Write them into folders of their own.",
        )
    places = {telescope.tel_id: telescope for one in arrays for telescope in one.telescopes}
    rows = [places[tel_id] for tel_id in sorted(places)]
    table = QTable(
        {
            "ae_id": [one.tel_id for one in rows],
            "name": [one.name for one in rows],
            **{
                axis: [one.position_m[index] for one in rows] * u.m
                for index, axis in enumerate(("x", "y", "z"))
            },
        }
    )
    for axis, value in zip(("x", "y", "z"), locations.pop(), strict=True):
        table.meta[f"reference_{axis}"] = f"{value!r} m"
    table.meta["site"] = site
    table.meta.update(reference(POSITIONS, arrays, site))
    table.write(folder / "positions" / f"{site}_ArrayElementPositions.ecsv", format="ascii.ecsv")


def _write_element(telescope: Telescope, folder: Path) -> None:
    """Write one telescope under its number; for a missing file ctapipe would ask the network."""
    folder.mkdir(parents=True)
    kind = telescope.kind
    optics_description(kind).to_table().write(
        folder / f"{folder.name}.tel_optics.ecsv", format="ascii.ecsv", serialize_method=None
    )
    for path, suffix in ((kind.geometry_file, "camgeom"), (kind.readout_file, "camreadout")):
        shutil.copyfile(path, folder / f"{folder.name}.{suffix}.fits.gz")
