"""The page at the end of the demo."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dpps.ops.demo.page import human_bytes, render_page
from dpps.ops.demo.record import Copy, DemoRecord, Picture, ProductRow, Progress, Step, Timeline

START = datetime(2026, 2, 14, 22, tzinfo=UTC)


def record(kind: str = "toy") -> DemoRecord:
    return DemoRecord(
        kind=kind,
        toy=kind == "toy",
        source="night",
        sites=["CSCS", "PIC"],
        steps=[
            Step(name="up", title="Start", started=START, finished=START + timedelta(seconds=30)),
            Step(
                name="ingest",
                title="Ingest",
                started=START + timedelta(seconds=30),
                finished=START + timedelta(seconds=40),
                size_bytes=5_000_000,
                count=2,
            ),
        ],
        products=[
            ProductRow(
                lfn="/ctao/dpps/DL1/file.h5",
                level="DL1",
                size_bytes=1234,
                adler32="0011aabb",
                copies=(Copy(rse="CSCS", onsite=False, verified=True),),
            )
        ],
    )


def test_toy_input_is_said_to_be_toy() -> None:
    assert "toy events" in render_page(record("toy"))
    assert "toy" not in render_page(record("simulated"))


def test_times_bytes_and_copies_are_shown() -> None:
    page = render_page(record())
    assert "40 s" in page
    assert "500.0 kB/s" in page
    assert page.count("✓</span>") == 1
    assert "/ctao/dpps/DL1/file.h5" in page


def test_a_copy_that_was_not_read_back_is_not_shown_as_good() -> None:
    shown = record()
    shown.products = [
        ProductRow(
            lfn="/ctao/dpps/a/b",
            level="DL1",
            size_bytes=1,
            adler32="00000001",
            copies=(Copy(rse="PIC", onsite=False, verified=False),),
        )
    ]
    page = render_page(shown)
    assert "✓</span>" not in page
    assert "not yet read back" in page


def test_names_cannot_inject_markup() -> None:
    shown = record()
    shown.source = "<script>alert(1)</script>"
    shown.kind = "yours"
    shown.pictures = [Picture(title='"><img src=x>', caption="<b>", png=b"png")]
    page = render_page(shown)
    assert "<script>" not in page
    assert "<img src=x>" not in page


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (3 * 10**12, "3.0 TB")],
)
def test_bytes_as_people_read_them(count: int, text: str) -> None:
    assert human_bytes(count) == text


def test_a_step_that_fails_is_not_finished() -> None:
    kept = DemoRecord(kind="toy", source="x")
    heard: list[Progress] = []
    timeline = Timeline(kept, heard.append, clock=lambda: START)
    with pytest.raises(ValueError, match="broken"), timeline.step("up", "Start"):
        raise ValueError("broken")
    assert kept.steps[0].finished is None
    assert [progress.message for progress in heard] == [""]
