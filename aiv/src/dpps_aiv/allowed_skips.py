"""The list of skips that are allowed although their marker is required, each with its reason."""

import re
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dpps_aiv.documents import read_yaml, validation_problems
from dpps_aiv.errors import AivError

_NEXT_STEP = "mend the list: every entry names a `marker` or a `nodeid` pattern, and a `reason`"


class AllowedSkip(BaseModel):
    """One skip that is allowed.

    With both `marker` and `nodeid`, both must fit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    marker: str | None = Field(default=None, min_length=1, description="Name of a required marker")
    nodeid: str | None = Field(
        default=None, min_length=1, description="Node id of the test; `*` fits any text"
    )
    reason: str = Field(min_length=1, description="Why these tests may be skipped")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.marker is None and self.nodeid is None:
            message = "names neither a marker nor a nodeid"
            raise ValueError(message)
        return self

    def covers(self, marker: str, nodeid: str) -> bool:
        """Tell whether the skip of a test that carries a required marker is allowed."""
        if self.marker is not None and self.marker != marker:
            return False
        return self.nodeid is None or _fits(self.nodeid, nodeid)

    def __str__(self) -> str:
        named = {"marker": self.marker, "nodeid": self.nodeid}
        return ", ".join(f"{key} {value}" for key, value in named.items() if value is not None)


class AllowedSkips(BaseModel):
    """The file: a list of allowed skips."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allowed_skips: tuple[AllowedSkip, ...]


def load_allowed_skips(path: Path) -> tuple[AllowedSkip, ...]:
    """Read the list of allowed skips.

    Raises
    ------
    AivError
        If the file is unreadable, or an entry has no reason or names nothing.
    """
    document = read_yaml(path, next_step=_NEXT_STEP)
    try:
        return AllowedSkips.model_validate(document).allowed_skips
    except ValidationError as error:
        problems = validation_problems(str(path), document, error, AllowedSkip, "allowed_skips")
        raise AivError(problems, next_step=_NEXT_STEP) from error


def _fits(pattern: str, nodeid: str) -> bool:
    # Only `*` is special: `[` belongs to the names of parametrised tests.
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, nodeid, flags=re.DOTALL) is not None
