"""Reading the policy: every mistake of a file at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import ValidationError

from dpps.data.policy.document import PreservationPolicy
from dpps.domain.errors import InvalidInput

__all__ = [
    "PolicyMistake",
    "line_of",
    "load_policy",
    "packaged_policy_text",
    "policy_mistakes",
    "read_policy",
]

_FIRST_VERSION = (
    "this is a policy of version 1, which is not read any more: write version: 2, offsite_copies as copies, "
    "free_onsite: true as when-verified and false as never, and temporary_lifetime_seconds: 604800 as "
    "temporary: {lifetime: 7 days}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMistake:
    """What is wrong at one place of a policy file."""

    line: int
    """Counted from 1."""
    where: str
    """Key, such as ``kinds.0.copies``."""
    message: str


def packaged_policy_text() -> str:
    """Return the policy that applies where no other is installed."""
    return (files("dpps.data.policy") / "policy.yaml").read_text()


def load_policy(override: Path | None = None) -> PreservationPolicy:
    """Read the policy: the given file where it exists, else the packaged one.

    Raises
    ------
    InvalidInput
        When the file is no valid policy.
    """
    if override is None:
        return read_policy(packaged_policy_text(), "the packaged policy")
    try:
        text = override.read_text()
    except FileNotFoundError:
        return load_policy()
    except (OSError, UnicodeDecodeError) as wrong:
        raise _invalid(str(override), f"it cannot be read: {wrong}") from wrong
    return read_policy(text, str(override))


def read_policy(text: str, source: str) -> PreservationPolicy:
    """Return the policy that a text says.

    Parameters
    ----------
    text : str
        YAML.
    source : str
        Name of the text, for messages.

    Raises
    ------
    InvalidInput
        With every mistake and its line.
    """
    found = policy_mistakes(text)
    if isinstance(found, PreservationPolicy):
        return found
    raise _invalid(source, "\n  ".join(f"line {one.line}: {one.where}: {one.message}" for one in found))


def policy_mistakes(text: str) -> PreservationPolicy | list[PolicyMistake]:
    """Return the policy, or everything that is wrong with its text."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        said = yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        return [PolicyMistake(line=line, where="yaml", message=" ".join(str(wrong).split()))]
    if isinstance(said, dict) and said.get("version") == 1:
        line = _line(root, ("version",))
        return [PolicyMistake(line=line, where="version", message=_FIRST_VERSION)]
    try:
        return PreservationPolicy.model_validate(said)
    except ValidationError as wrong:
        return sorted(_mistakes(wrong, root), key=lambda one: one.line)


def _mistakes(wrong: ValidationError, root: yaml.Node | None) -> Iterator[PolicyMistake]:
    errors = wrong.errors()
    paths = [error["loc"] for error in errors]
    for error in errors:
        # pydantic counts only the good elements of a list; what is wrong with the others is told already.
        here = error["loc"]
        if error["type"] == "too_short" and any(here == path[: len(here)] != path for path in paths):
            continue
        message = error["msg"].removeprefix("Value error, ")
        where = ".".join(map(str, error["loc"])) or "policy"
        yield PolicyMistake(line=_line(root, error["loc"]), where=where, message=message)


def line_of(text: str, path: Sequence[int | str]) -> int:
    """Return the line, counted from 1, of the deepest place on a path that a text has."""
    return _line(yaml.compose(text, Loader=yaml.SafeLoader), path)


def _line(root: yaml.Node | None, path: Sequence[int | str]) -> int:
    """Return the line of the deepest node on a path that the text has."""
    node, line = root, 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pair = next((one for one in node.value if one[0].value == step), None)
            if pair is None:
                break
            key, node = pair
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _invalid(source: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"{source} is not a preservation policy: {why}",
        code="policy-invalid",
        next_step="see what is expected: dpps data policy show; remove the file to use the packaged policy",
        path=source,
    )
