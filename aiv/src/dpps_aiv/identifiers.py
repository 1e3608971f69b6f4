"""Identifiers of use cases and requirements: one spelling for each.

Published documents write the same use case with and without the prefix of the
system (`DPPS-UC-110-1.6`, `UC-110-1.6`). Here the prefix is dropped, so the two
are the same thing everywhere: in `requirements/`, in markers and in reports.
Standard library only: the pytest plugin imports this in every run.
"""

import re
from collections.abc import Iterable

_USE_CASE = re.compile(r"(?:[A-Z]+-)?UC-\d{3}-\d+(?:\.\d+)*")
_REQUIREMENT = re.compile(r"[A-Z]-[A-Z]+-\d{4}")
_LONGEST = 64


def normalise(identifier: str) -> str:
    """Give the one spelling of an identifier.

    Raises
    ------
    ValueError
        If the text is neither the id of a use case nor of a requirement.
    """
    # Bounded before it is matched or quoted: ids come from files of others.
    text = identifier.strip().upper().removeprefix("DPPS-")[:_LONGEST]
    if not _USE_CASE.fullmatch(text) and not _REQUIREMENT.fullmatch(text):
        message = (
            f"{identifier[:_LONGEST]!r} is not an identifier: "
            "a use case looks like 'UC-110-1.1.1', a requirement like 'C-BDMS-0210'"
        )
        raise ValueError(message)
    return text


def is_use_case(identifier: str) -> bool:
    """Tell whether a normalised identifier is that of a use case."""
    return _USE_CASE.fullmatch(identifier) is not None


def sort_key(identifier: str) -> tuple[tuple[int, int, str], ...]:
    """Order identifiers as people do: `UC-110-1.9` before `UC-110-1.10`."""
    parts = re.findall(r"\d+|\D+", identifier)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Name the known words nearest to an unknown one, as the end of a sentence.

    Returns
    -------
    str
        `"; did you mean 'a' or 'b'?"`, or nothing where no word is near.
    """
    from difflib import get_close_matches

    near = get_close_matches(word, sorted(known), n=3, cutoff=0.75)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
