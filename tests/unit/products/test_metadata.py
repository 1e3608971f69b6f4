from __future__ import annotations

import pytest

from dpps.domain.errors import InvalidInput
from dpps.domain.files import MetadataValue
from dpps.products.metadata import (
    OUR_KEYS,
    PUBLISHED_KEYS,
    SCHEMA_VERSION,
    TIME_KEYS,
    metadata_schema,
    product_keys,
    unflatten_product,
    validate_metadata,
)

GAMMA_RUN: dict[str, MetadataValue] = {
    "description": "sim_telarray run 10",
    "data__level": "SIM",
    "data__division": "Event",
    "data__association": "Array",
    "data__type": "AirShowerSim",
    "instance__obs_id": 10,
    "instance__site_id": "CTAO-North",
    "instance__facility_name": "Simulated-CTAO",
    "instance__particle_pdgid": 22,
    "curation__release": "SimPipe/handover",
    "model__name": "sim_telarray",
    "model__version": "2",
    "creation_time": "2026-02-14T21:30:00.5",
    "contact__name": "somebody",
    "contact__organization": "CTAO",
    "contact__email": "somebody@example.org",
    "simulation__production_name": "test",
    "simulation__node__zenith": 20,
    "simulation__node__azimuth": 180.0,
    "simulation__node__nsb_factor": 1.0,
}


def test_valid_metadata_become_canonical_and_stay_so() -> None:
    canonical = validate_metadata({**GAMMA_RUN, "dpps__toy": False, "dpps__tel_ids": [1, 2]})
    assert canonical["creation_time"] == "2026-02-14T21:30:00.500000000"
    assert canonical["simulation__node__zenith"] == 20.0
    assert canonical["dpps__schema"] == SCHEMA_VERSION
    assert canonical["dpps__tel_ids"] == [1, 2]
    assert validate_metadata(canonical) == canonical


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"telescop": "CTAO"}, "telescop"),
        ({"instance__nonsense": 1}, "instance__nonsense"),
        ({"dpps__nonsense": 1}, "dpps__nonsense"),
        ({"dpps__toy": "yes"}, "dpps__toy"),
        ({"dpps__events": True}, "dpps__events"),
        ({"dpps__inputs": [1]}, "dpps__inputs"),
        ({"dpps__schema": SCHEMA_VERSION + 1}, "dpps__schema"),
        ({"data__level": "DL9"}, "data__level"),
        ({"instance__obs_id": "ten"}, "instance__obs_id"),
        ({"creation_time": "yesterday"}, "creation_time"),
        ({"contact__email": None}, "contact__email"),
    ],
)
def test_wrong_metadata_are_refused_by_name(change: dict[str, MetadataValue], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        validate_metadata({**GAMMA_RUN, **change})


def test_every_wrong_key_is_named_at_once() -> None:
    wrong: dict[str, MetadataValue] = {"data__level": "DL9", "instance__nonsense": 1, "contact__email": None}
    with pytest.raises(InvalidInput) as refused:
        validate_metadata({**GAMMA_RUN, **wrong})
    keys = refused.value.identifiers["keys"]
    assert isinstance(keys, list | tuple)
    assert set(keys) == set(wrong)
    assert all(key in refused.value.message for key in wrong)


def test_a_key_that_is_value_and_branch_at_once_is_refused() -> None:
    with pytest.raises(InvalidInput):
        validate_metadata({**GAMMA_RUN, "data": "SIM"})


def test_product_carries_the_values() -> None:
    product = unflatten_product({**GAMMA_RUN, "dpps__pass": 1, "obs_id": 10})
    assert product.instance.obs_id == 10
    assert str(product.data) == "SIM/Event/Array/AirShowerSim"


def test_schema_lists_every_key_and_refuses_others() -> None:
    schema = metadata_schema()
    listed = set(schema["properties"])
    assert set(validate_metadata(GAMMA_RUN)) <= listed
    assert OUR_KEYS.keys() | PUBLISHED_KEYS.keys() <= listed
    assert schema["additionalProperties"] is False
    assert "^activity__inputs__\\d+__uri$" in schema["patternProperties"]


def test_time_keys_are_those_of_the_data_model() -> None:
    known = {**product_keys(), **PUBLISHED_KEYS}
    assert {key for key, kind in known.items() if kind == "time"} == TIME_KEYS
    # Independent of our table: the data model's own type of each time.
    from ctao_datamodel import walk_model
    from ctao_datamodel.models.dataproducts import Product

    times = {
        "__".join(parent.item_name for parent in parents[1:])
        for item, parents in walk_model(Product)
        if getattr(item, "__name__", "") == "Time"
    }
    assert times == TIME_KEYS - PUBLISHED_KEYS.keys()
