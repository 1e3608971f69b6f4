"""Runs name the instrument model they are made with."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from dpps_simpipe.instrument import load_model, packaged_versions
from dpps_simpipe.simulation.description import load_run

from dpps.domain.errors import InvalidInput, NotFound

RUN = {
    "dpps_simulation": 1, "run": 3, "seed": 5, "primary": "gamma", "showers": 2, "array": "ctao-north-lst1",
    "energy_min_tev": 0.3, "energy_max_tev": 0.4, "core_radius_m": 60.0, "altitude_deg": 80.0,
}  # fmt: skip


def _write(path: Path, **changes: object) -> Path:
    path.write_text(yaml.safe_dump({**RUN, **changes}, sort_keys=False))
    return path


@pytest.fixture
def own_model(tmp_path: Path) -> Path:
    """A copy of the package's model with a wider mirror of the LST."""
    folder = tmp_path / "own"
    shutil.copytree(load_model().folder, folder)
    designs = folder / "parameters" / "LSTN-design.json"
    documents = json.loads(designs.read_text())
    (area,) = (one for one in documents if one["parameter"] == "mirror_area")
    area["value"] = 400.0
    designs.write_text(json.dumps(documents))
    return folder


def test_run_takes_the_model_that_it_names(tmp_path: Path, own_model: Path) -> None:
    packaged = load_run(_write(tmp_path / "a.yaml")).load_array()
    named = load_run(_write(tmp_path / "b.yaml", model=packaged_versions()[0])).load_array()
    own = load_run(_write(tmp_path / "c.yaml", model=own_model.name)).load_array()
    assert named is packaged
    assert packaged.telescopes[0].kind.mirror_area_m2 == 386.969
    assert own.telescopes[0].kind.mirror_area_m2 == 400.0
    assert own.model_sha256 == load_model(own_model).sha256 != packaged.model_sha256


def test_model_that_changed_is_refused(tmp_path: Path, own_model: Path) -> None:
    path = _write(tmp_path / "run.yaml", model=own_model.name, model_sha256=load_model(own_model).sha256)
    assert load_run(path).model_sha256
    (own_model / "files" / "added").write_text("more")
    with pytest.raises(InvalidInput, match="model_sha256 is not that of the instrument model"):
        load_run(path)
    with pytest.raises(NotFound, match=r"there is no instrument model .*nowhere"):
        load_run(_write(tmp_path / "run.yaml", model="nowhere"))
