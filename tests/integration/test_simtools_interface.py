"""The table of runs and the manifest, against the schemas that simtools publishes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = Path(sys.prefix).parent / ".envs"
PLAN = """
production: gamma-north
site: North
array_layout_name: CTAO-North-Alpha
model_version: 1.2.0
primaries:
  - primary: gamma
    energy_tev: [0.01, 100]
    core_scatter_max_m: 1000
    showers_per_run: 1000
    statistics: {total_showers: 2500}
pointings: {zenith_deg: [20, 60], azimuth_deg: [0], nsb_rate: [0.24]}
"""
MAKE_MANIFEST = """
import sys
from pathlib import Path
from dpps_simpipe.planning.jobs import read_grid
from dpps_simpipe.planning.manifest import RunStatistics, make_manifest, write_manifest
manifest = make_manifest(
    read_grid(Path(sys.argv[1])).job(1), production="gamma-north", site="North", atmosphere={},
    statistics=RunStatistics(simulated_events=1000, triggered_events=10), files={"events": ["run1.h5"]},
)
write_manifest(Path(sys.argv[2]), manifest)
"""
MAKE_GRID = "import sys; from dpps_simpipe.planning.command import main; sys.exit(main(sys.argv[1:]))"

pytestmark = [pytest.mark.peer, pytest.mark.pipelines]


def run_pipelines(*words: str | Path) -> None:
    """Run code in the environment of the pipelines."""
    subprocess.run([ENVIRONMENTS / "pipelines/bin/python", "-c", *words], check=True)


@pytest.fixture(scope="module")
def schemas() -> Path:
    """Folder of the published schemas."""
    subprocess.run([ROOT / "scripts/setup", "simtools-interface"], check=True)
    return ENVIRONMENTS / "simtools-interface/simtools/schemas"


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of runs."""
    folder = tmp_path_factory.mktemp("planned")
    (folder / "plan.yaml").write_text(PLAN)
    run_pipelines(MAKE_GRID, "make", folder / "plan.yaml", "--output", folder / "grid.ecsv")
    return folder / "grid.ecsv"


def test_the_table_of_runs_has_the_columns_of_the_published_schema(schemas: Path, grid: Path) -> None:
    documents = list(yaml.safe_load_all((schemas / "job_grid_density.schema.yml").read_text()))
    (newest,) = [one for one in documents if one["schema_version"] == "0.4.0"]
    wanted = {one["name"]: one for one in newest["data"][0]["table_columns"]}
    header = "\n".join(line[2:] for line in grid.read_text().splitlines() if line.startswith("# "))
    # The first line names the format, and is YAML's directive.
    described = yaml.load(header.split("---", 1)[1], Loader=_EcsvLoader)  # noqa: S506
    columns = {one["name"]: one for one in described["datatype"]}
    assert {name for name, one in wanted.items() if one["required"]} <= set(columns) <= set(wanted)
    for name, column in columns.items():
        assert column["datatype"] == wanted[name]["type"], name
        assert _unit(column.get("unit")) == _unit(wanted[name].get("unit")), name


def test_the_manifest_has_the_form_of_the_published_schema(schemas: Path, grid: Path, tmp_path: Path) -> None:
    run_pipelines(MAKE_MANIFEST, grid, tmp_path / "manifest.yml")
    manifest: dict[str, Any] = yaml.safe_load((tmp_path / "manifest.yml").read_text())
    # Ours has a name of its own, and files of its own: they are none of sim_telarray.
    assert manifest.pop("schema_name") == "dpps_simpipe_job_metadata"
    assert manifest["configuration"]["simulation_software"] == "dpps-simpipe"
    manifest["configuration"]["simulation_software"] = "corsika_sim_telarray"
    manifest |= {"schema_name": "simulate_prod_job_metadata", "files": {"sim_telarray": ["x"]}}
    schema = yaml.safe_load((schemas / "simulate_prod_job_metadata.schema.yml").read_text())
    jsonschema.Draft6Validator(schema).validate(json.loads(json.dumps(manifest)))


class _EcsvLoader(yaml.SafeLoader):
    """Reads the header of an ECSV file; what astropy tags is taken as it stands."""


_EcsvLoader.add_multi_constructor(
    "!",
    lambda loader, _suffix, node: (
        loader.construct_mapping(node)
        if isinstance(node, yaml.MappingNode)
        else loader.construct_sequence(node)
    ),
)
_EcsvLoader.add_constructor("tag:yaml.org,2002:omap", lambda loader, node: str(node))


def _unit(text: str | None) -> list[str]:
    """Return the factors of a unit, in whatever order and with whatever brackets they were written."""
    return sorted(re.findall(r"[A-Za-z]+\d*", text or ""))
