"""The simple cards of a FITS header: one keyword, one whole number, truth value or text.

``astropy`` parses every card with regular expressions when it is asked for; checking a small file needs a few
hundred of them, and would take most of its time there. Cards of other forms (``HIERARCH``, ``CONTINUE``,
floating point) are left to ``astropy``, for the one header that has product metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CARD_BYTES", "CardValue", "simple_cards"]

type CardValue = int | bool | str

CARD_BYTES: Final = 80
_KEYWORD_BYTES: Final = 8


def simple_cards(header: bytes) -> Mapping[str, CardValue]:
    """Return the values of the simple cards; of a keyword that is there twice, the first counts.

    Parameters
    ----------
    header : bytes
        Whole cards, up to ``END``.
    """
    cards: dict[str, CardValue] = {}
    for begin in range(0, len(header), CARD_BYTES):
        card = header[begin : begin + CARD_BYTES]
        if card[_KEYWORD_BYTES : _KEYWORD_BYTES + 2] != b"= ":
            continue
        value = _value(card[_KEYWORD_BYTES + 2 :].decode("ascii", "replace").strip())
        if value is not None:
            cards.setdefault(card[:_KEYWORD_BYTES].decode("ascii", "replace").rstrip(), value)
    return cards


def _value(text: str) -> CardValue | None:
    if text.startswith("'"):
        return _quoted(text)
    word = text.partition("/")[0].strip()
    if word in ("T", "F"):
        return word == "T"
    digits = word[1:] if word[:1] in "+-" else word
    return int(word) if digits.isascii() and digits.isdigit() else None


def _quoted(text: str) -> str | None:
    """Return a string value: two quotes stand for one, blanks at the end do not count."""
    parts: list[str] = []
    rest = text[1:]
    while True:
        part, quote, rest = rest.partition("'")
        if not quote:
            return None
        parts.append(part)
        if not rest.startswith("'"):
            return "'".join(parts).rstrip()
        rest = rest[1:]
