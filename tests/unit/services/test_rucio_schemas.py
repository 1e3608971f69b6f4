"""Messages to the catalogue are checked as Rucio checks them."""

from __future__ import annotations

import jsonschema
import pytest

from dpps.services.rucio_schemas import validate

SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"scope": {"type": "string", "pattern": "^[a-z]+$"}, "bytes": {"type": "integer"}},
        "required": ["scope"],
        "additionalProperties": False,
    },
}


@pytest.mark.parametrize(
    "message",
    [[], [{"scope": "acada"}], [{"scope": "acada", "bytes": 1}]],
)
def test_right_messages_pass(message: object) -> None:
    jsonschema.validate(message, SCHEMA)
    validate(message, SCHEMA)


@pytest.mark.parametrize(
    "message",
    [{}, [{}], [{"scope": "ACADA"}], [{"scope": "acada", "bytes": "1"}], [{"scope": "acada", "more": 1}]],
)
def test_wrong_messages_are_refused_with_the_same_words(message: object) -> None:
    with pytest.raises(jsonschema.ValidationError) as published:
        jsonschema.validate(message, SCHEMA)
    with pytest.raises(jsonschema.ValidationError) as refused:
        validate(message, SCHEMA)
    assert str(refused.value) == str(published.value)
