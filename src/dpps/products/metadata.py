"""Product metadata as flat keys: the form in which the catalogue keeps them and queries name them.

Three families of keys share one versioned schema (`SCHEMA_VERSION`):

* those of the CTAO data model: ``ctao_datamodel``'s ``Product``, nested names joined by ``__``;
* ours, under ``dpps__`` (`OUR_KEYS`);
* those that the observatory's published ingest client writes (`PUBLISHED_KEYS`), kept so that queries
  written for it still find files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from dpps.domain.errors import InvalidInput
from dpps.domain.files import MetadataValue

if TYPE_CHECKING:
    from ctao_datamodel.models.dataproducts import Product
    from pydantic import BaseModel

__all__ = [
    "OUR_KEYS",
    "PUBLISHED_KEYS",
    "SCHEMA_VERSION",
    "TIME_KEYS",
    "flatten_product",
    "metadata_schema",
    "product_keys",
    "unflatten_product",
    "validate_metadata",
]

SCHEMA_VERSION = 1
_SEPARATOR = "__"

OUR_KEYS: Mapping[str, str] = {
    "dpps__schema": "integer",
    "dpps__pass": "integer",
    "dpps__production": "string",
    "dpps__transformation": "string",
    "dpps__task": "string",
    "dpps__inputs": "strings",
    "dpps__provenance": "string",
    "dpps__toy": "boolean",
    "dpps__valid_checksums": "boolean",
    "dpps__assumed": "strings",
    "dpps__tel_ids": "integers",
    "dpps__events": "integer",
    "dpps__showers": "integer",
    "dpps__energy_min_tev": "number",
    "dpps__energy_max_tev": "number",
}
"""Keys of ours and the kind of their values (``integers`` and ``strings`` are lists)."""

PUBLISHED_KEYS: Mapping[str, str] = {
    "observatory": "string",
    "start_time": "time",
    "end_time": "time",
    "sb_id": "integer",
    "obs_id": "integer",
    "subarray_id": "integer",
    "tel_ids": "integers",
    "valid_fits_checksum": "boolean",
}
"""Keys of the observatory's published ingest client and the kind of their values."""

TIME_KEYS = frozenset(
    {
        "creation_time",
        "curation__release_date",
        "curation__valid_from",
        "curation__valid_to",
        "activity__start",
        "activity__end",
        "observation__coverage__time__t_min",
        "observation__coverage__time__t_max",
        "start_time",
        "end_time",
    }
)
"""Keys of times: ISO 8601, UTC, nine decimals, no zone letter, so that text order is time order."""

_JSON_TYPES: Mapping[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "strings": {"type": "array", "items": {"type": "string"}},
    "integers": {"type": "array", "items": {"type": "integer"}},
    "time": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}$"},
}


def validate_metadata(metadata: Mapping[str, MetadataValue]) -> dict[str, MetadataValue]:
    """Check flat metadata against the schema and return them in canonical form.

    Parameters
    ----------
    metadata : mapping
        Flat keys of the three families; keys with the value None are dropped.

    Returns
    -------
    dict
        The same facts with defaults of the data model filled in, times in canonical form, and
        ``dpps__schema``.

    Raises
    ------
    InvalidInput
        When a key is unknown, a required one is missing, or a value is of the wrong kind.
    """
    given = {key: value for key, value in metadata.items() if value is not None}
    extra = {key: given.pop(key) for key in list(given) if _is_extra(key)}
    _check_extra(extra)
    return flatten_product(unflatten_product(given), extra)


def unflatten_product(metadata: Mapping[str, MetadataValue]) -> Product:
    """Return the data model's ``Product`` that flat keys describe; keys of ours are left aside.

    Raises
    ------
    InvalidInput
        When the keys do not make a valid product.
    """
    import pydantic
    from ctao_datamodel import unflatten_model_instance
    from ctao_datamodel.models.dataproducts import Product

    flat = {key: value for key, value in metadata.items() if not _is_extra(key)}
    unknown = [(key, "this key is unknown") for key in flat if key.startswith("dpps__")]
    if unknown:
        raise _wrong(unknown)
    try:
        product: Product = unflatten_model_instance(flat, Product, separator=_SEPARATOR)
    except pydantic.ValidationError as wrong:
        raise _wrong(
            [(_SEPARATOR.join(map(str, one["loc"])), one["msg"]) for one in wrong.errors()]
        ) from wrong
    except (ValueError, TypeError, AttributeError) as wrong:
        raise _invalid("the keys", str(wrong)) from wrong
    return product


def flatten_product(
    product: Product, extra: Mapping[str, MetadataValue] | None = None
) -> dict[str, MetadataValue]:
    """Return a product as flat keys, with keys of ours added."""
    from ctao_datamodel import flatten_model_instance

    flat: dict[str, MetadataValue] = flatten_model_instance(product, separator=_SEPARATOR, to_string=False)
    flat.update(extra or {})
    flat["dpps__schema"] = SCHEMA_VERSION
    return flat


def metadata_schema() -> dict[str, Any]:
    """Return the JSON schema of flat metadata; every key that it does not list is refused.

    Lists of structures appear in the data with their index (``activity__inputs__0__uri``).
    """
    kinds = {**product_keys(), **PUBLISHED_KEYS, **OUR_KEYS}
    schemas = {key: _JSON_TYPES[kind] for key, kind in sorted(kinds.items())}
    indexed = [key for key in schemas if "#" in key]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Flat product metadata",
        "version": SCHEMA_VERSION,
        "type": "object",
        "additionalProperties": False,
        "properties": {key: schema for key, schema in schemas.items() if key not in indexed},
        "patternProperties": {f"^{key.replace('#', r'\d+')}$": schemas[key] for key in indexed},
    }


@cache
def product_keys() -> Mapping[str, str]:
    """Return every flat key of the data model with the kind of its value (``#`` stands for an index)."""
    from ctao_datamodel.models.dataproducts import Product

    return dict(_walk(Product, ""))


def _walk(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    from pydantic import BaseModel

    for name, field in model.model_fields.items():
        key = prefix + name
        for leaf in _leaves(field.annotation):
            if isinstance(leaf, type) and issubclass(leaf, BaseModel) and not hasattr(leaf, "_serialize"):
                inside = f"{key}{_SEPARATOR}#" if _is_list(field.annotation) else key
                yield from _walk(leaf, inside + _SEPARATOR)
            else:
                yield key, _kind(key, leaf)


def _leaves(annotation: Any) -> list[Any]:
    """Return the types that an annotation names, without None and without containers."""
    inner = [part for part in get_args(annotation) if part is not type(None)]
    if isinstance(annotation, type) and not inner:
        return [annotation]
    if _is_list(annotation) or len(inner) == 1 or _is_union(annotation):
        return [leaf for part in inner for leaf in _leaves(part)][:1]
    return [inner[0] if inner else annotation]


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (UnionType, Union)


def _is_list(annotation: Any) -> bool:
    return any(get_origin(part) is list for part in (annotation, *get_args(annotation)))


def _kind(key: str, leaf: Any) -> str:
    if key in TIME_KEYS:
        return "time"
    if not isinstance(leaf, type):
        return "string"
    if issubclass(leaf, bool):
        return "boolean"
    if issubclass(leaf, int):
        return "integer"
    if issubclass(leaf, float) or leaf.__name__.startswith("Quantity"):
        return "number"
    return "string"


def _is_extra(key: str) -> bool:
    return key in OUR_KEYS or key in PUBLISHED_KEYS


def _check_extra(extra: Mapping[str, MetadataValue]) -> None:
    kinds = {key: OUR_KEYS.get(key) or PUBLISHED_KEYS[key] for key in extra}
    misfits = [
        (key, f"{value!r} is not of the kind {kinds[key]!r}")
        for key, value in extra.items()
        if not _fits(value, kinds[key])
    ]
    if misfits:
        raise _wrong(misfits)
    if extra.get("dpps__schema", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise _invalid("dpps__schema", f"this release writes schema {SCHEMA_VERSION}")


def _fits(value: object, kind: str) -> bool:
    if kind in ("strings", "integers"):
        return isinstance(value, list) and all(_fits(item, kind.removesuffix("s")) for item in value)
    if kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind == "integer":
        return isinstance(value, int)
    if kind == "number":
        return isinstance(value, int | float)
    return isinstance(value, str)


def _invalid(key: str, why: str) -> InvalidInput:
    return _wrong([(key, why)])


def _wrong(problems: Sequence[tuple[str, str]]) -> InvalidInput:
    """Return one error that names every wrong key."""
    return InvalidInput(
        "product metadata: " + "; ".join(f"{key}: {why}" for key, why in problems),
        code="metadata-invalid",
        next_step="compare with the metadata reference page, or with ctao_datamodel's Product",
        key=problems[0][0],
        keys=[key for key, _ in problems],
    )
