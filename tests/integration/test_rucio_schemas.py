"""The schemas that the catalogue's server trusts are right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.rucio

RUCIO_PYTHON = Path(sys.prefix).parent / ".envs" / "rucio" / "bin" / "python"
CHECK = """
import sys
from bdms_rucio_policy import schema as ours
from jsonschema.validators import validator_for
from rucio.common.schema import generic
from rucio.common.schema.schema_ref import SchemaRef

def resolved(part):
    if isinstance(part, SchemaRef):
        return resolved(part.resolve("def"))
    if isinstance(part, dict):
        return {key: resolved(value) for key, value in part.items()}
    return [resolved(one) for one in part] if isinstance(part, list) else part

schemas = {**generic.SCHEMAS, **getattr(ours, "SCHEMAS", {})}
for name, schema in schemas.items():
    validator_for(resolved(schema)).check_schema(resolved(schema))
print(len(schemas))
"""


def test_the_installed_schemas_are_right_themselves(tmp_path: Path) -> None:
    settings = tmp_path / "rucio.cfg"
    settings.write_text("[database]\ndefault = sqlite://\n[policy]\npackage = bdms_rucio_policy\n")
    done = subprocess.run(
        [RUCIO_PYTHON, "-c", CHECK],
        env={"RUCIO_CONFIG": str(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
