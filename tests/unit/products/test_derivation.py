from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from dpps.domain.errors import InvalidInput
from dpps.domain.files import ArchivedFile, FileContent, MetadataValue
from dpps.domain.names import Lfn
from dpps.products.derivation import derive_product
from dpps.products.metadata import unflatten_product, validate_metadata
from dpps.products.naming import product_lfn
from dpps.products.provenance import ActivityRecord

ACTIVITY = ActivityRecord(
    activity_id="6081329c-5d80-4662-88c0-62a8b427b433",
    name="process_dl0_dl1",
    software="ctapipe",
    software_version="0.32.0",
    configuration_id="sha256:abc",
    start=datetime(2026, 2, 14, 22, tzinfo=timezone(timedelta(hours=1))),
    end=datetime(2026, 2, 14, 21, 5, tzinfo=UTC),
    production="lst1-night",
    task="17",
)
GAMMA: dict[str, MetadataValue] = {
    "instance__obs_id": 10,
    "instance__site_id": "CTAO-North",
    "instance__facility_name": "Simulated-CTAO",
    "instance__particle_pdgid": 22,
    "instance__messenger": "photon",
    "simulation__production_name": "test",
    "simulation__node__zenith": 20.0,
    "simulation__node__azimuth": 180.0,
    "simulation__node__nsb_factor": 1.0,
}
OBSERVED: dict[str, MetadataValue] = {
    "instance__obs_id": 2000000456,
    "instance__site_id": "CTAO-North",
    "instance__ae_id": 1,
    "instance__ae_class": "TEL",
    "instance__chunk_id": 1,
    "instance__data_source": "SDH001",
    "instance__observing_night": "2026-02-14",
    "acquisition__sb_id": 2000000066,
    "observation__coverage__time__t_min": "2026-02-14T21:00:00.000000000",
    "observation__coverage__time__t_max": "2026-02-14T21:01:00.000000000",
}


def archived(name: str, metadata: dict[str, MetadataValue]) -> ArchivedFile:
    return ArchivedFile(
        lfn=Lfn(f"/ctao/dpps/{name}"),
        content=FileContent(size_bytes=1, adler32="00000001"),
        replicas=(),
        metadata=metadata,
    )


def test_dl1_of_a_simulated_run() -> None:
    made = derive_product(
        product_type="DL1/Event/Telescope/AirShower",
        inputs=[archived("in/run10", GAMMA)],
        activity=ACTIVITY,
        pass_number=1,
        suffix=".h5",
        vo="ctao",
    )
    folder = "/ctao/dpps/DataPipe/Simulation/CTAO-North/DL1/Event/gamma/node-nsb01.0-zen020.0-az180.0"
    assert made.dataset == f"{folder}/ob0000000010/p001"
    assert made.lfn.name == (
        f"{made.dataset}/dl1_evt_tel_AirShower_ob0000000010_gamma_nsb01.0_zen020.0_az180.0.h5"
    )
    assert made.metadata["instance__particle_pdgid"] == 22
    assert made.metadata["dpps__inputs"] == ["/ctao/dpps/in/run10"]
    assert made.metadata["dpps__pass"] == 1
    assert made.metadata["dpps__production"] == "lst1-night"
    assert made.metadata["creation_time"] == "2026-02-14T21:05:00.000000000"
    assert made.metadata["activity__start"] == "2026-02-14T21:00:00.000000000"
    assert validate_metadata(made.metadata) == made.metadata


def test_provenance_names_entities_activity_and_software() -> None:
    made = derive_product(
        product_type="DL1/Event/Telescope/AirShower",
        inputs=[archived("in/b", GAMMA), archived("in/a", GAMMA)],
        activity=ACTIVITY,
        pass_number=1,
        suffix=".h5",
        vo="ctao",
    )
    record = json.loads(str(made.metadata["dpps__provenance"]))
    assert [used["entity"] for used in record["used"]] == ["/ctao/dpps/in/a", "/ctao/dpps/in/b"]
    assert record["wasGeneratedBy"] == [{"entity": made.lfn.name, "activity": ACTIVITY.activity_id}]
    assert record["software"] == {"ctapipe": "0.32.0"}
    assert record["activity"]["configuration"] == "sha256:abc"


def test_keys_on_which_inputs_disagree_are_not_inherited() -> None:
    later: dict[str, MetadataValue] = {
        **OBSERVED,
        "instance__chunk_id": 2,
        "observation__coverage__time__t_min": "2026-02-14T21:01:00.000000000",
        "observation__coverage__time__t_max": "2026-02-14T21:02:00.000000000",
    }
    made = derive_product(
        product_type="DL1/Event/Telescope/AirShower",
        inputs=[archived("in/c1", OBSERVED), archived("in/c2", later)],
        activity=ACTIVITY,
        pass_number=2,
        suffix=".h5",
        vo="ctao",
    )
    assert "instance__chunk_id" not in made.metadata
    assert "instance__data_source" not in made.metadata
    assert made.metadata["acquisition__sb_id"] == 2000000066
    assert made.metadata["observation__coverage__time__t_min"] == "2026-02-14T21:00:00.000000000"
    assert made.metadata["observation__coverage__time__t_max"] == "2026-02-14T21:02:00.000000000"
    assert made.lfn.name.endswith(
        "/DataPipe/Observation/CTAO-North/DL1/Event/2026/02/14/ob2000000456/p002/"
        "dl1_evt_tel_AirShower_ob2000000456_tel001.h5"
    )


def test_inputs_of_different_grid_nodes_have_no_node() -> None:
    other: dict[str, MetadataValue] = {**GAMMA, "instance__obs_id": 11, "simulation__node__zenith": 40.0}
    made = derive_product(
        product_type="DL2/Event/Subarray/AirShower",
        inputs=[archived("in/a", GAMMA), archived("in/b", other)],
        activity=ACTIVITY,
        pass_number=1,
        suffix=".h5",
        vo="ctao",
        instance={"instance__batch_id": 3},
    )
    assert not any(key.startswith("simulation__node") for key in made.metadata)
    assert made.metadata["simulation__production_name"] == "test"
    assert made.metadata["instance__batch_id"] == 3


def test_each_pass_has_names_of_its_own_and_each_name_one_identifier() -> None:
    def make(pass_number: int) -> tuple[str, object]:
        made = derive_product(
            product_type="DL1/Event/Telescope/AirShower",
            inputs=[archived("in/a", GAMMA)],
            activity=ACTIVITY,
            pass_number=pass_number,
            suffix=".h5",
            vo="ctao",
        )
        return made.lfn.name, made.metadata["instance__id"]

    assert make(1) == make(1)
    assert make(1)[0] != make(2)[0]
    assert make(1)[1] != make(2)[1]


def test_toy_inputs_make_toy_products() -> None:
    made = derive_product(
        product_type="DL1/Event/Telescope/AirShower",
        inputs=[archived("in/a", {**GAMMA, "dpps__toy": True})],
        activity=ACTIVITY,
        pass_number=1,
        suffix=".h5",
        vo="ctao",
    )
    assert made.metadata["dpps__toy"] is True


@pytest.mark.parametrize(
    ("product_type", "named"),
    [
        ("DL1", "product type"),
        ("DL1/Event/Telescope/Nonsense", "data__type"),
        ("DL1/Binned/Array/Lidar", "data"),
    ],
)
def test_unknown_product_types_are_refused(product_type: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        derive_product(
            product_type=product_type,
            inputs=[archived("in/a", GAMMA)],
            activity=ACTIVITY,
            pass_number=1,
            suffix=".h5",
            vo="ctao",
        )


def test_no_inputs_no_product() -> None:
    with pytest.raises(InvalidInput, match="without inputs"):
        derive_product(
            product_type="DL1/Event/Telescope/AirShower",
            inputs=[],
            activity=ACTIVITY,
            pass_number=1,
            suffix=".h5",
            vo="ctao",
        )


@pytest.mark.parametrize(
    ("pass_number", "suffix", "release"),
    [
        (0, ".h5", "R"),
        (1000, ".h5", "R"),
        (1, "h5", "R"),
        (1, "/../x", "R"),
        (1, ".h5", None),
        (1, ".h5", "../R"),
    ],
)
def test_what_cannot_stand_in_a_name_is_refused(pass_number: int, suffix: str, release: str | None) -> None:
    product = unflatten_product(
        {
            **GAMMA,
            "data__level": "DL1",
            "data__division": "Event",
            "data__association": "Telescope",
            "data__type": "AirShower",
            "curation__release": release,
            "description": "x",
            "model__name": "x",
            "model__version": "1",
            "creation_time": "2026-02-14",
            "contact__name": "x",
            "contact__organization": "x",
            "contact__email": "x@example.org",
        }
    )
    with pytest.raises(InvalidInput):
        product_lfn(product, vo="ctao", pass_number=pass_number, suffix=suffix)


def test_activity_times_need_a_zone() -> None:
    with pytest.raises(InvalidInput, match="time zone"):
        replace(ACTIVITY, start=datetime(2026, 2, 14))  # noqa: DTZ001 -- the naive time is what is refused


def test_what_only_serves_does_not_say_which_data_these_are() -> None:
    model: dict[str, MetadataValue] = {"instance__site_id": "CTAO-North", "instance__obs_id": 7}
    made = derive_product(
        product_type="DL3/Event/Subarray/Observation",
        inputs=[archived("in/events", OBSERVED), archived("in/model", model)],
        subjects=[archived("in/events", OBSERVED)],
        activity=ACTIVITY,
        pass_number=1,
        suffix=".fits.gz",
        vo="ctao",
    )
    assert made.metadata["instance__obs_id"] == OBSERVED["instance__obs_id"]
    assert made.metadata["dpps__inputs"] == ["/ctao/dpps/in/events", "/ctao/dpps/in/model"]
