"""Names and full metadata of files that people bring: what they say, checked and completed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from dpps.domain.errors import InvalidInput
from dpps.domain.files import MetadataValue
from dpps.domain.names import Lfn
from dpps.products.derivation import CONTACT, product_id, time_text
from dpps.products.metadata import SCHEMA_VERSION, flatten_product, unflatten_product, validate_metadata
from dpps.products.naming import product_lfn

__all__ = [
    "SubmittedProduct",
    "describe_submitted",
    "describe_temporary",
    "flat_metadata",
    "product_type_keys",
]

_COMPRESSED = frozenset({"gz", "bz2", "xz", "zst", "fz"})
_TYPE_PARTS = ("level", "division", "association", "type")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedProduct:
    """Name and description of a file that someone brings."""

    lfn: Lfn
    dataset: str
    """Name of the dataset: the folder of the LFN, unless another is named."""
    metadata: Mapping[str, MetadataValue]


def describe_submitted(
    metadata: Mapping[str, object],
    *,
    file_name: str,
    vo: str,
    now: datetime,
    lfn: Lfn | None = None,
    pass_number: int = 1,
) -> SubmittedProduct:
    """Check and complete what someone says of a product, and name it.

    Missing contact, description, creation time and identifier are filled in.

    Parameters
    ----------
    metadata : mapping
        Keys of ``ctao_datamodel``'s ``Product``, nested or flat.
    file_name : str
        Name of the local file; its suffix becomes that of the product's name.
    vo : str
        Virtual organisation.
    now : datetime
        Creation time, where the metadata tell none.
    lfn : Lfn, optional
        Name to use; by default the one that the data model gives the product, with the pass.
    pass_number : int
        1 for the first processing, one more for each reprocessing.

    Raises
    ------
    InvalidInput
        Naming every key that is wrong, unknown or missing.
    """
    flat: dict[str, MetadataValue] = {
        **CONTACT,
        "description": f"File {file_name}",
        "creation_time": time_text(now),
        **flat_metadata(metadata),
        "dpps__pass": pass_number,
    }
    checked = validate_metadata(flat)
    product = unflatten_product(checked)
    name = lfn or product_lfn(product, vo=vo, pass_number=pass_number, suffix=_suffix(file_name))
    if "instance__id" not in flat:
        product.instance.id = product_id(name)
    kept = {key: value for key, value in checked.items() if key not in flatten_product(product)}
    return SubmittedProduct(lfn=name, dataset=name.parent, metadata=flatten_product(product, kept))


def describe_temporary(
    metadata: Mapping[str, object], *, file_name: str, lfn: Lfn, now: datetime
) -> SubmittedProduct:
    """Return a temporary file, which needs no metadata; where some are given they must make a product.

    Raises
    ------
    InvalidInput
        Naming every key that is wrong, unknown or missing.
    """
    if metadata:
        return describe_submitted(metadata, file_name=file_name, vo=lfn.vo, now=now, lfn=lfn)
    return SubmittedProduct(lfn=lfn, dataset=lfn.parent, metadata={"dpps__schema": SCHEMA_VERSION})


def product_type_keys(product_type: str) -> dict[str, MetadataValue]:
    """Return the keys of a product type ``level/division/association/type``.

    Raises
    ------
    InvalidInput
        When it has not four parts.
    """
    parts = product_type.split("/")
    if len(parts) != len(_TYPE_PARTS) or not all(parts):
        raise InvalidInput(
            f"{product_type!r} is not a product type",
            code="product-type-invalid",
            next_step="write level/division/association/type, e.g. DL3/Event/Subarray/AirShower",
        )
    return {f"data__{name}": part for name, part in zip(_TYPE_PARTS, parts, strict=True)}


def flat_metadata(metadata: Mapping[str, object]) -> dict[str, MetadataValue]:
    """Return nested metadata as flat keys, joined by ``__``; flat ones stay as they are.

    Raises
    ------
    InvalidInput
        When a key is given twice, or a value is no plain value.
    """
    flat: dict[str, MetadataValue] = {}
    for key, value in _leaves(metadata, ""):
        if key in flat:
            raise InvalidInput(
                f"product metadata: {key} is given twice",
                code="metadata-invalid",
                next_step="give each key once, nested or flat",
                key=key,
            )
        flat[key] = value
    return flat


def _leaves(value: object, key: str) -> Iterator[tuple[str, MetadataValue]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}__{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{key}__{number}")
    else:
        yield key, _plain(key, value)


def _plain(key: str, value: object) -> MetadataValue:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, str | int | float | bool | list):
        return value
    raise InvalidInput(
        f"product metadata: {key}: {value!r} is no text, number, time or list",
        code="metadata-invalid",
        next_step="write a plain value",
        key=key,
    )


def _suffix(file_name: str) -> str:
    """Return the end of a file name with its dot; two parts where the last one says how it is packed."""
    parts = file_name.split(".")[1:]
    kept = parts[-2:] if parts and parts[-1] in _COMPRESSED else parts[-1:]
    return "".join(f".{part}" for part in kept)
