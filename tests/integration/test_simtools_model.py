"""Model parameters, against the schemas that simtools publishes: the catalogue, and what is exported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft6Validator
from referencing import Registry
from referencing.jsonschema import DRAFT6

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = Path(sys.prefix).parent / ".envs"
CATALOGUE = ROOT / "pipelines/simpipe/src/dpps_simpipe/instrument/resources/parameters/simtools.json"
#: Writes the catalogue of the published schemas, and exports the model of the package.
MAKE = """
import json, sys
from pathlib import Path
from dpps_simpipe.instrument import load_model
from dpps_simpipe.instrument.exporting import export_parameters
from dpps_simpipe.instrument.parameters.published import catalogue_of
schemas, folder = map(Path, sys.argv[1:])
(folder / "catalogue.json").write_text(json.dumps(catalogue_of(schemas / "model_parameters")))
export_parameters(load_model(), folder / "export")
"""

pytestmark = [pytest.mark.peer, pytest.mark.pipelines]


@pytest.fixture(scope="module")
def schemas() -> Path:
    """Folder of the published schemas."""
    subprocess.run([ROOT / "scripts/setup", "simtools-interface"], check=True)
    return ENVIRONMENTS / "simtools-interface/simtools/schemas"


@pytest.fixture(scope="module")
def made(schemas: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the catalogue and the export."""
    folder = tmp_path_factory.mktemp("made")
    subprocess.run([ENVIRONMENTS / "pipelines/bin/python", "-c", MAKE, schemas, folder], check=True)
    return folder


def _validator(schemas: Path, name: str, version: str) -> Draft6Validator:
    """Make the validator of one version of a schema."""
    common = yaml.safe_load((schemas / "common_definitions.schema.yml").read_text())
    registry: Registry[Any] = Registry().with_resource(
        "common_definitions.schema.yml", DRAFT6.create_resource(common)
    )
    versions = yaml.safe_load_all((schemas / name).read_text())
    (schema,) = [one for one in versions if one["schema_version"] == version]
    return Draft6Validator(schema, registry=registry)


def test_the_catalogue_is_that_of_the_published_schemas(made: Path) -> None:
    published, ours = json.loads((made / "catalogue.json").read_text()), json.loads(CATALOGUE.read_text())
    assert len(published) > 200
    assert ours == published


def test_exported_parameters_have_the_published_form(schemas: Path, made: Path) -> None:
    parameter = _validator(schemas, "model_parameter.metaschema.yml", "0.4.0")
    files = sorted((made / "export/simulation-models/model_parameters").rglob("*.json"))
    for path in files:
        document = json.loads(path.read_text())
        parameter.validate(document)
        assert path.parent.parts[-2:] == (document["instrument"], document["parameter"])
    table = _validator(schemas, "production_tables.schema.yml", "0.1.0")
    tables = [json.loads(path.read_text()) for path in (made / "export").rglob("productions/*/*.json")]
    for document in tables:
        table.validate(document)
    versions = {
        (instrument, name)
        for document in tables
        for instrument, names in document["parameters"].items()
        for name in names
    }
    assert versions == {path.parent.parts[-2:] for path in files}
