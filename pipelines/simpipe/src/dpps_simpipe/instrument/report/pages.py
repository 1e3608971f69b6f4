"""A page as data, and as Markdown and HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Page", "Section"]

_STYLE = (
    "body{font-family:sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left}"
    "img{max-width:100%}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a page.

    Parameters
    ----------
    title : str
        Heading.
    text : str
        One paragraph.
    columns : tuple of str
        Headings of the table.
    rows : sequence of tuple of str
        The table; empty: none.
    figures : sequence of tuple of str
        File name and caption.
    """

    title: str
    text: str = ""
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    figures: Sequence[tuple[str, str]] = ()


def _cell(text: str) -> str:
    """Take from a text what Markdown would read as markup of a table or a tag."""
    return (
        text.replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("*", "\\*")
        .replace("<", "&lt;")
        .replace("\n", " ")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page.

    Parameters
    ----------
    title, text : str
        Heading and first paragraph.
    sections : sequence of Section
        Parts.
    """

    title: str
    text: str
    sections: Sequence[Section]

    def markdown(self) -> str:
        """Give the page as Markdown, as Sphinx reads it with MyST.

        Returns
        -------
        str
            Text.
        """
        lines = [f"# {_cell(self.title)}", "", _cell(self.text), ""]
        for section in self.sections:
            lines += [f"## {_cell(section.title)}", ""]
            lines += [_cell(section.text), ""] if section.text else []
            if section.rows:
                lines += [_row(section.columns), _row(("---",) * len(section.columns))]
                lines += [_row(tuple(map(_cell, row))) for row in section.rows]
                lines.append("")
            for name, caption in section.figures:
                lines += [f"![{_cell(caption)}]({name})", ""]
        return "\n".join(lines)

    def html(self) -> str:
        """Give the page as HTML that needs its figures only.

        Returns
        -------
        str
            Text.
        """
        parts = [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(self.title)}</h1>\n<p>{escape(self.text)}</p>",
        ]
        for section in self.sections:
            parts.append(f"<h2>{escape(section.title)}</h2>")
            parts += [f"<p>{escape(section.text)}</p>"] if section.text else []
            if section.rows:
                parts.append("<table>")
                parts += [
                    _cells(section.columns, "th"),
                    *(_cells(row, "td") for row in section.rows),
                    "</table>",
                ]
            parts += [
                f'<p><img src="{escape(name)}" alt="{escape(caption)}"></p>'
                for name, caption in section.figures
            ]
        return "\n".join([*parts, "</body></html>", ""])


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(cells: tuple[str, ...], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
