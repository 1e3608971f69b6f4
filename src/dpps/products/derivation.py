"""What a processing step's output is called and described as, from its inputs and what was done."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from dpps.domain.errors import InvalidInput
from dpps.domain.files import MetadataValue
from dpps.domain.names import Lfn
from dpps.products.metadata import flatten_product, unflatten_product
from dpps.products.naming import product_lfn
from dpps.products.provenance import ActivityRecord, provenance_record

__all__ = ["CONTACT", "DerivedProduct", "DescribedFile", "derive_product", "product_id", "time_text"]

CONTACT: Mapping[str, str] = {
    "contact__name": "Data Processing and Preservation System",
    "contact__organization": "CTAO",
    "contact__email": "dpps@ctao.org",
}
"""Who answers for the products that this system makes."""

_INHERITED_PREFIXES = ("instance__", "acquisition__", "simulation__", "sdc__", "observation__location__")
_OWN = frozenset({"instance__id", "instance__sublevel_id", "instance__data_source", "instance__local_run_id"})
_T_MIN = "observation__coverage__time__t_min"
_T_MAX = "observation__coverage__time__t_max"


class DescribedFile(Protocol):
    """A file with its name and metadata, such as `dpps.domain.files.ArchivedFile`."""

    @property
    def lfn(self) -> Lfn:
        """Name in the archive."""
        ...

    @property
    def metadata(self) -> Mapping[str, MetadataValue]:
        """Flat product metadata."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedProduct:
    """Name and description of a product, ready to be published."""

    lfn: Lfn
    dataset: str
    """Name of the dataset that the product belongs to: the folder that contains it."""
    metadata: Mapping[str, MetadataValue]


def derive_product(
    *,
    product_type: str,
    inputs: Sequence[DescribedFile],
    subjects: Sequence[DescribedFile] | None = None,
    activity: ActivityRecord,
    pass_number: int,
    suffix: str,
    vo: str,
    instance: Mapping[str, MetadataValue] | None = None,
    release: str | None = None,
) -> DerivedProduct:
    """Name and describe one product of a processing step.

    Keys that say which data these are (``instance__…``, acquisition, simulation, location) are inherited
    where all subjects agree; the time coverage spans them.

    Parameters
    ----------
    product_type : str
        ``level/division/association/type``, e.g. ``DL1/Event/Telescope/AirShower``.
    inputs : sequence of DescribedFile
        What was read; none for what is made from nothing, such as a simulation, which `instance` describes.
    subjects : sequence of DescribedFile, optional
        The inputs that the product is about; the others, such as models and responses, only serve. By
        default all inputs.
    activity : ActivityRecord
        What was done.
    pass_number : int
        1 for the first processing, one more for each reprocessing.
    suffix : str
        End of the file name, e.g. ``.h5``.
    vo : str
        Virtual organisation.
    instance : mapping, optional
        Keys that the step decides itself, e.g. ``{"instance__batch_id": 3}``; None removes an inherited one.
    release : str, optional
        Data release (collection); by default ``DataPipe/Simulation`` or ``DataPipe/Observation``.

    Raises
    ------
    InvalidInput
        When the type is unknown, there are neither inputs nor `instance`, or the result cannot be named.
    """
    if not inputs and not instance:
        raise InvalidInput(
            f"a product {product_type} without inputs cannot be derived",
            code="derivation-without-inputs",
            next_step="give the files that were read, or columns of metadata in the table of tasks",
        )
    flat = _inherited([file.metadata for file in (inputs if subjects is None else subjects)])
    flat.update(instance or {})
    flat.update(_product_type(product_type))
    flat.update(_activity(activity))
    flat.update(CONTACT)
    flat["description"] = f"{product_type} made by {activity.name}"
    flat["model__name"] = activity.software
    flat["model__version"] = activity.software_version
    flat["creation_time"] = time_text(activity.end)
    flat["curation__release"] = release or flat.get("curation__release") or _default_release(flat)
    product = unflatten_product({key: value for key, value in flat.items() if value is not None})
    lfn = product_lfn(product, vo=vo, pass_number=pass_number, suffix=suffix)
    product.instance.id = product_id(lfn)
    used = sorted(file.lfn.name for file in inputs)
    ours: dict[str, MetadataValue] = {
        "dpps__pass": pass_number,
        "dpps__inputs": list(used),
        "dpps__toy": activity.toy or any(file.metadata.get("dpps__toy") is True for file in inputs),
        "dpps__provenance": provenance_record(activity, used=used, generated=[lfn.name]),
    }
    for key in ("production", "transformation", "task"):
        if (value := getattr(activity, key)) is not None:
            ours[f"dpps__{key}"] = value
    return DerivedProduct(lfn=lfn, dataset=lfn.parent, metadata=flatten_product(product, ours))


def product_id(lfn: Lfn) -> uuid.UUID:
    """Return the product identifier that belongs to a name: repeating a publication gives the same one."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"lfn:{lfn.name}")


def time_text(moment: datetime) -> str:
    """Return a time in the canonical form of metadata (UTC, nine decimals, no zone letter)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000"


def _inherited(inputs: Sequence[Mapping[str, MetadataValue]]) -> dict[str, MetadataValue]:
    if not inputs:
        return {}
    shared = {
        key: value
        for key, value in inputs[0].items()
        if key.startswith(_INHERITED_PREFIXES)
        and key not in _OWN
        and all(other.get(key) == value for other in inputs[1:])
    }
    starts, ends = _values(inputs, _T_MIN), _values(inputs, _T_MAX)
    if len(starts) == len(ends) == len(inputs):
        shared[_T_MIN], shared[_T_MAX] = min(starts), max(ends)
    return _without_partial_node(shared)


def _values(inputs: Iterable[Mapping[str, MetadataValue]], key: str) -> list[str]:
    return [value for metadata in inputs if isinstance(value := metadata.get(key), str)]


def _without_partial_node(shared: dict[str, MetadataValue]) -> dict[str, MetadataValue]:
    """Drop a simulation grid node that the inputs share in part only: it is no point any more."""
    node = ("zenith", "azimuth", "nsb_factor")
    if all(f"simulation__node__{name}" in shared for name in node):
        return shared
    return {key: value for key, value in shared.items() if not key.startswith("simulation__node__")}


def _product_type(product_type: str) -> dict[str, MetadataValue]:
    parts = product_type.split("/")
    if len(parts) != 4:
        raise InvalidInput(
            f"{product_type!r} is not a product type",
            code="product-type-invalid",
            next_step="write level/division/association/type, e.g. DL1/Event/Telescope/AirShower",
        )
    return {
        f"data__{name}": part
        for name, part in zip(("level", "division", "association", "type"), parts, strict=True)
    }


def _activity(activity: ActivityRecord) -> dict[str, MetadataValue]:
    return {
        "activity__process": activity.process,
        "activity__name": activity.name,
        "activity__id": activity.activity_id,
        "activity__start": time_text(activity.start),
        "activity__end": time_text(activity.end),
        "activity__software__name": activity.software,
        "activity__software__version": activity.software_version,
        "activity__configuration_id": activity.configuration_id,
    }


def _default_release(flat: Mapping[str, MetadataValue]) -> str:
    simulated = flat.get("instance__facility_name") == "Simulated-CTAO"
    return "DataPipe/Simulation" if simulated else "DataPipe/Observation"
