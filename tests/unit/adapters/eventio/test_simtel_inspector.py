from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from dpps.adapters.eventio.simtel import SimtelInspector, pdg_id
from dpps.domain.errors import DamagedFile, NotFound
from dpps.testing.handed_files import make_simtel

SUFFIXES = (".simtel", ".simtel.gz", ".simtel.zst")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_run_says_what_it_is(tmp_path: Path, suffix: str) -> None:
    path = make_simtel(tmp_path / f"x{suffix}", run=42, primary=101, showers=5, events=4, azimuth_deg=0.0)
    inspector = SimtelInspector()
    assert inspector.accepts(path)
    told = inspector.inspect(path).metadata
    assert told["data__level"] == "SIM"
    assert told["data__division"] == "Event"
    assert told["data__type"] == "AirShowerSim"
    assert told["instance__obs_id"] == 42
    assert told["instance__particle_pdgid"] == 2212
    assert told["instance__messenger"] == "proton"
    assert told["simulation__node__zenith"] == 20.0
    assert told["simulation__node__azimuth"] == 0.0
    assert (told["dpps__showers"], told["dpps__events"]) == (5, 4)
    assert told["dpps__tel_ids"] == [1, 2]
    assert told["creation_time"] == "2026-02-14T21:30:00.000000000"


def test_a_file_without_triggered_showers_is_calibration(tmp_path: Path) -> None:
    told = SimtelInspector().inspect(make_simtel(tmp_path / "x.simtel", events=0)).metadata
    assert told["data__type"] == "CalibrationSim"
    assert "instance__particle_pdgid" not in told


@pytest.mark.parametrize("suffix", [".simtel.gz", ".simtel.zst"])
def test_a_compressed_file_cut_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    whole = make_simtel(tmp_path / f"whole{suffix}").read_bytes()
    for length in range(0, len(whole), 7):
        _refuse_cut(tmp_path / f"cut{suffix}", whole[:length])


@pytest.mark.parametrize(("showers", "events"), [(0, 0), (3, 0), (3, 2)])
def test_a_file_cut_at_any_byte_is_refused(tmp_path: Path, showers: int, events: int) -> None:
    # Cut between two objects too: what is left is well formed, and lacks only what ends a run.
    whole = make_simtel(tmp_path / "whole.simtel", showers=showers, events=events)
    content = whole.read_bytes()
    assert SimtelInspector().inspect(whole).content.size_bytes == len(content)
    for length in range(len(content)):
        _refuse_cut(tmp_path / "cut.simtel", content[:length])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_run_without_its_end_is_refused_however_it_is_compressed(tmp_path: Path, suffix: str) -> None:
    path = make_simtel(tmp_path / f"x{suffix}", closed=False)
    with pytest.raises(DamagedFile, match="3 of 3 showers and no histograms"):
        SimtelInspector().inspect(path)


def test_objects_behind_the_histograms_are_a_further_run_that_was_cut(tmp_path: Path) -> None:
    path = make_simtel(tmp_path / "x.simtel")
    path.write_bytes(path.read_bytes() + make_simtel(tmp_path / "y.simtel", closed=False).read_bytes())
    with pytest.raises(DamagedFile, match="no histograms"):
        SimtelInspector().inspect(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_extracted_calibration_events_have_neither_showers_nor_histograms(
    tmp_path: Path, suffix: str
) -> None:
    path = make_simtel(tmp_path / f"x{suffix}", showers=0, events=5, closed=False)
    told = SimtelInspector().inspect(path).metadata
    assert (told["data__type"], told["dpps__events"]) == ("CalibrationSim", 5)


def test_headers_alone_are_no_run(tmp_path: Path) -> None:
    path = make_simtel(tmp_path / "x.simtel", showers=0, events=0, closed=False)
    with pytest.raises(DamagedFile, match="nothing follows its headers"):
        SimtelInspector().inspect(path)


def _refuse_cut(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DamagedFile):
        SimtelInspector().inspect(path)


@pytest.mark.parametrize("suffix", [".simtel.gz", ".simtel.zst"])
def test_bytes_behind_the_end_are_refused(tmp_path: Path, suffix: str) -> None:
    path = make_simtel(tmp_path / f"x{suffix}")
    path.write_bytes(path.read_bytes() + b"garbage behind the last frame")
    with pytest.raises(DamagedFile):
        SimtelInspector().inspect(path)


@pytest.mark.parametrize("suffix", [".simtel.gz", ".simtel.zst"])
def test_a_flipped_bit_in_compressed_data_is_refused(tmp_path: Path, suffix: str) -> None:
    whole = make_simtel(tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"flipped{suffix}"
    for position in range(20, len(whole) - 4, 11):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(DamagedFile):
            SimtelInspector().inspect(path)


def test_an_absent_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        SimtelInspector().inspect(tmp_path / "none.simtel")


@pytest.mark.parametrize(
    ("primary", "number"),
    [(0, 22), (1, 11), (-1, -11), (2, 13), (101, 2212), (402, 1000020040), (5626, 1000260560)],
)
def test_primaries_in_the_numbering_of_the_particle_data_group(primary: int, number: int) -> None:
    assert pdg_id(primary) == number


@pytest.mark.parametrize("primary", [3, 99, 100, 213])
def test_unknown_primaries_are_refused(primary: int) -> None:
    with pytest.raises(ValueError, match=str(primary)):
        pdg_id(primary)


@pytest.mark.parametrize("suffix", [".simtel.gz", ".simtel.zst"])
def test_a_small_file_that_would_fill_the_memory_is_given_up_early(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bomb{suffix}"
    zeros = bytes(1 << 20)
    if suffix == ".simtel.gz":
        with gzip.open(path, "wb") as stream:
            for _ in range(160):
                stream.write(zeros)
    else:
        with path.open("wb") as raw, zstandard.ZstdCompressor().stream_writer(raw) as writer:
            for _ in range(2000):
                writer.write(zeros)
    tracemalloc.start()
    try:
        with pytest.raises(DamagedFile, match="beyond 100 to one") as refused:
            SimtelInspector().inspect(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.code == "file-too-expansive"
    assert peak_bytes < 256 * 1024 * 1024
