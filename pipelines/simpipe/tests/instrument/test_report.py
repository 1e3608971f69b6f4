"""The generated pages of the model; the acceptance test of UC-150-2.3 reads a whole report."""

from pathlib import Path

import pytest
from dpps_simpipe.instrument import load_model
from dpps_simpipe.instrument.report import write_report
from dpps_simpipe.instrument.report.pages import Page, Section

from dpps.domain.errors import Conflict


def test_pages_are_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="is there"):
        write_report(load_model(), tmp_path)


def test_markup_in_values_stays_text() -> None:
    section = Section(title="a", columns=("x",), rows=[("<b>|*",)], figures=[("a.png", "b")])
    page = Page(title="t", text="", sections=[section])
    assert "| &lt;b>\\|\\* |" in page.markdown()
    assert "![b](a.png)" in page.markdown()
    assert "<td>&lt;b&gt;|*</td>" in page.html()
    assert '<img src="a.png" alt="b">' in page.html()
