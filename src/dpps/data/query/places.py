"""Where to look: a path, or a pattern of names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from dpps.domain.errors import InvalidInput
from dpps.domain.names import LFN_LENGTH_MAX, Lfn

__all__ = ["EVERYWHERE", "Place", "parse_place"]

_WILD = re.compile(r"[*?\[]")
_COMPONENT = re.compile(r"[A-Za-z0-9._+=@,~*?\[\]!-]+")
_CLASS = re.compile(r"\[!?[A-Za-z0-9._+=@,~-]+\]")


@dataclass(frozen=True, slots=True)
class Place:
    """A path, meaning itself and everything below, or a pattern that whole names must match."""

    pattern: str
    """Without a slash at the end; empty for everything."""

    @property
    def is_glob(self) -> bool:
        """Whether it has wildcards."""
        return _WILD.search(self.pattern) is not None

    @property
    def folder(self) -> str:
        """The components before the first one with a wildcard; the path itself when there is none."""
        parts = self.pattern.split("/")
        literal = next((index for index, part in enumerate(parts) if _WILD.search(part)), len(parts))
        return "/".join(parts[:literal])

    @property
    def scope(self) -> str | None:
        """The scope that all its names have, if it says one."""
        parts = self.folder.split("/")
        return parts[2] if len(parts) > 2 else None

    def holds(self, name: str) -> bool:
        """Tell whether a name is here."""
        if self.is_glob:
            return _expression(self.pattern).fullmatch(name) is not None
        return not self.pattern or name == self.pattern or name.startswith(self.pattern + "/")

    def __str__(self) -> str:
        return self.pattern or "/"


EVERYWHERE = Place("")
"""All names."""


def parse_place(text: str) -> Place:
    """Check a path or pattern that someone gave.

    ``*`` stands for any text within a component, ``?`` for one character, ``[ab]`` and ``[!ab]`` for one that
    is or is not listed, ``**`` as a component for any number of components.

    Raises
    ------
    InvalidInput
        When it is relative, too long, has an empty or ``..`` component, or characters that no name has.
    """
    path = text.rstrip("/")
    if not path:
        if text:
            return EVERYWHERE
        raise _invalid(text, "it is empty")
    if not path.startswith("/"):
        raise _invalid(text, "it does not begin with '/'")
    if len(path) > LFN_LENGTH_MAX:
        raise _invalid(text, f"it is longer than {LFN_LENGTH_MAX} characters")
    parts = path.split("/")[1:]
    for part in parts:
        if not _COMPONENT.fullmatch(part) or part.startswith(".") or not _brackets_close(part):
            raise _invalid(text, f"the component {part!r} is not allowed")
    if _WILD.search(path) is None and len(parts) > 2:
        return Place(Lfn(path).name)
    return Place(path)


def _brackets_close(part: str) -> bool:
    return not set("[]!") & set(_CLASS.sub("", part))


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str]:
    pieces: list[str] = []
    for part in pattern.split("/")[1:]:
        pieces.append("(?:/[^/]+)*" if part == "**" else "/" + _component(part))
    return re.compile("".join(pieces))


def _component(part: str) -> str:
    out, position = "", 0
    for wild in re.finditer(rf"\*+|\?|{_CLASS.pattern}", part):
        out += re.escape(part[position : wild.start()])
        text = wild.group()
        out += "[^/]*" if text[0] == "*" else "[^/]" if text == "?" else text.replace("[!", "[^/")
        position = wild.end()
    return out + re.escape(part[position:])


def _invalid(text: str, why: str) -> InvalidInput:
    shown = text if len(text) <= 80 else text[:77] + "…"
    return InvalidInput(
        f"{shown!r} is no path or pattern of the archive: {why}",
        code="place-invalid",
        next_step="give a path like /ctao/acada/DL0 or a pattern like '/ctao/acada/DL0/**/TEL001*'",
        place=text,
    )
