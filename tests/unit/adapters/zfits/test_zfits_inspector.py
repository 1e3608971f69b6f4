from __future__ import annotations

import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dpps.adapters.zfits.cards import CardValue, simple_cards
from dpps.adapters.zfits.cells import first_row
from dpps.adapters.zfits.inspector import ZfitsInspector
from dpps.adapters.zfits.tiles import count_rows
from dpps.adapters.zfits.units import Unit
from dpps.domain.errors import DamagedFile
from dpps.testing.handed_files import make_housekeeping, make_raw_stream


def test_a_stream_says_what_it_is(tmp_path: Path) -> None:
    path = make_raw_stream(tmp_path / "x.fits.fz", obs_id=5, sb_id=6, tel_id=7, events=3)
    inspector = ZfitsInspector()
    assert inspector.accepts(path)
    told = inspector.inspect(path).metadata
    assert told["data__level"] == "DL0"
    assert told["instance__obs_id"] == told["obs_id"] == 5
    assert told["acquisition__sb_id"] == told["sb_id"] == 6
    assert told["instance__ae_id"] == 7
    assert told["tel_ids"] == [7]
    assert told["dpps__events"] == 3
    assert told["valid_fits_checksum"] is True
    assert told["dpps__toy"] is False


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = make_raw_stream(tmp_path / "whole.fits.fz").read_bytes()
    path = tmp_path / "cut.fits.fz"
    for length in [*range(0, len(whole), 977), *range(0, len(whole), 2880)]:
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFile):
            ZfitsInspector().inspect(path)


@pytest.mark.parametrize("behind", [b"x", bytes(2880)])
def test_bytes_behind_the_last_table_are_refused(tmp_path: Path, behind: bytes) -> None:
    path = make_raw_stream(tmp_path / "x.fits.fz")
    path.write_bytes(path.read_bytes() + behind)
    with pytest.raises(DamagedFile, match=f"{len(behind)} bytes follow"):
        ZfitsInspector().inspect(path)


def test_a_flipped_bit_anywhere_is_refused(tmp_path: Path) -> None:
    whole = make_raw_stream(tmp_path / "whole.fits.fz").read_bytes()
    path = tmp_path / "flipped.fits.fz"
    for position in range(0, len(whole), 127):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(DamagedFile):
            ZfitsInspector().inspect(path)


@pytest.mark.parametrize("keyword", [b"DATASUM", b"CHECKSUM"])
def test_tables_without_checksums_are_refused(tmp_path: Path, keyword: bytes) -> None:
    path = make_raw_stream(tmp_path / "x.fits.fz")
    path.write_bytes(path.read_bytes().replace(keyword, b"X" * len(keyword)))
    with pytest.raises(DamagedFile, match=keyword.decode()):
        ZfitsInspector().inspect(path)


def test_missing_required_metadata_are_named(tmp_path: Path) -> None:
    from astropy.io import fits

    path = make_raw_stream(tmp_path / "x.fits.fz")
    with fits.open(path) as tables:
        del tables[2].header["DATE-END"]
        del tables[1].header["SB_ID"]
        tables.writeto(tmp_path / "y.fits.fz", checksum=True)
    with pytest.raises(DamagedFile, match="end_time, sb_id"):
        ZfitsInspector().inspect(tmp_path / "y.fits.fz")


def tile(*blocks: tuple[tuple[int, ...], bytes]) -> bytes:
    packed = b"".join(
        struct.pack(f"<QcB{len(codes)}H", 10 + 2 * len(codes) + len(data), b"C", len(codes), *codes) + data
        for codes, data in blocks
    )
    return struct.pack("<4sIQ", b"TILE", 1, len(packed)) + packed


HEADER: dict[str, Any] = {
    "TFIELDS": 4,
    "THEAP": 0,
    "TTYPE1": "sb_id", "ZFORM1": "1K",
    "TTYPE2": "tel_ids", "ZFORM2": "2I",
    "TTYPE3": "tel_id", "ZFORM3": "1J",
    "TTYPE4": "scale", "ZFORM4": "1E",
}  # fmt: skip


def test_cells_are_read_whatever_the_packing() -> None:
    data = tile(
        ((0,), struct.pack("<Q", 2000000066)),
        ((7,), zlib.compress(struct.pack("<I2H", 4, 1, 4))),
        ((23,), zstandard.compress(struct.pack("<I", 7))),
        ((0,), struct.pack("<f", 1.5)),
    )
    assert first_row(HEADER, data) == {"sb_id": (2000000066,), "tel_ids": (1, 4), "tel_id": (7,)}


def test_unknown_packing_is_left_out() -> None:
    one = ((0,), struct.pack("<Q", 5))
    other = ((1, 2), b"packed by other means")
    assert first_row(HEADER, tile(one, other, other, other)) == {"sb_id": (5,)}


def test_malformed_tiles_are_refused() -> None:
    good = tile(*[((0,), struct.pack("<Q", 5))] * 4)
    with pytest.raises(ValueError, match="tile"):
        first_row(HEADER, b"NOPE" + good[4:])
    with pytest.raises((ValueError, struct.error)):
        first_row(HEADER, good[:30])


@pytest.mark.parametrize(
    ("kind", "association", "data_type", "published"),
    [
        ("Telescope", "Telescope", "AirShower", {"tel_ids": [4]}),
        ("Subarray", "Subarray", "Trigger", {"subarray_id": 1}),
        ("Trigger", "Subarray", "TelescopeTriggers", {"tel_ids": [4]}),
    ],
)
def test_each_kind_of_event_stream_has_its_keys(
    tmp_path: Path, kind: str, association: str, data_type: str, published: dict[str, object]
) -> None:
    path = make_raw_stream(tmp_path / "x.fits.fz", kind=kind, tel_id=4)
    told = ZfitsInspector().inspect(path).metadata
    assert told["data__association"] == association
    assert told["data__type"] == data_type
    expected = {
        "observatory": "CTAO",
        "start_time": "2026-02-14T21:30:00.000000000",
        "end_time": "2026-02-14T21:31:00.500000000",
        "sb_id": 2000000066,
        "obs_id": 2000000200,
        "valid_fits_checksum": True,
        **published,
    }
    assert {key: told[key] for key in expected} == expected


@pytest.mark.parametrize("division", ["Monitoring", "Service"])
@pytest.mark.parametrize("suffix", [".fits", ".fits.fz"])
def test_streams_without_events_are_described_by_product_keywords(
    tmp_path: Path, division: str, suffix: str
) -> None:
    path = make_housekeeping(tmp_path / f"x{suffix}", division=division)
    told = ZfitsInspector().inspect(path).metadata
    assert (told["data__level"], told["data__division"]) == ("DL0", division)
    assert told["observatory"] == "CTAO"
    assert told["start_time"] == "2026-02-14T21:00:00.000000000"
    assert told["end_time"] == "2026-02-14T22:00:00.000000000"
    assert told["sb_id"] == 2000000066
    assert "tel_ids" not in told


def test_product_keywords_of_another_level_are_refused(tmp_path: Path) -> None:
    from astropy.io import fits

    path = make_housekeeping(tmp_path / "x.fits")
    with fits.open(path) as tables:
        tables[0].header["DATALEVL"] = "DL1"
        tables.writeto(tmp_path / "y.fits", checksum=True)
    with pytest.raises(DamagedFile, match="says that it is DL1") as refused:
        ZfitsInspector().inspect(tmp_path / "y.fits")
    assert refused.value.code == "metadata-contradicts"


def test_a_file_that_says_nothing_of_itself_is_refused(tmp_path: Path) -> None:
    from astropy.io import fits

    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "x.fits", checksum=True)
    with pytest.raises(DamagedFile, match="CTAOMETA"):
        ZfitsInspector().inspect(tmp_path / "x.fits")


def test_a_system_of_time_without_times_says_nothing(tmp_path: Path) -> None:
    from astropy.io import fits

    path = make_raw_stream(tmp_path / "x.fits.fz")
    with fits.open(path) as tables:
        tables[1].header["TIMESYS"] = "UTC"
        tables.writeto(tmp_path / "y.fits.fz", checksum=True)
    assert ZfitsInspector().inspect(tmp_path / "y.fits.fz").metadata["obs_id"] == 2000000200


def compressed(tmp_path: Path, rows: int, *tiles: bytes) -> tuple[int, Unit]:
    data = b"".join(tiles)
    (tmp_path / "data").write_bytes(data)
    cards: dict[str, CardValue] = {"TFIELDS": 4, "THEAP": 0, "ZTABLE": True, "ZNAXIS2": rows}
    unit = Unit(1, 0, cards=cards, data_bytes=len(data))
    return os.open(tmp_path / "data", os.O_RDONLY), unit


def test_the_rows_of_the_tiles_are_counted(tmp_path: Path) -> None:
    one = ((0,), struct.pack("<Q", 5))
    descriptor, unit = compressed(tmp_path, 2, tile(one, one, one, one), tile(one, one, one, one))
    try:
        assert count_rows(descriptor, unit) == 2
        for column_count, wrong in ((3, "do not fill"), (5, "is missing in a tile")):
            with pytest.raises(ValueError, match=wrong):
                count_rows(descriptor, replace(unit, cards={**unit.cards, "TFIELDS": column_count}))
        with pytest.raises(ValueError, match="no complete tile after 1 rows"):
            count_rows(descriptor, replace(unit, data_bytes=unit.data_bytes - 1))
    finally:
        os.close(descriptor)


@given(st.binary(max_size=3 * 2880))
def test_any_bytes_are_a_file_or_an_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "x.fits.fz"
    path.write_bytes(data)
    with pytest.raises(DamagedFile):
        ZfitsInspector().inspect(path)


@pytest.mark.parametrize(
    ("card", "value"),
    [
        ("KEY     =                   12 / a number", 12),
        ("KEY     = -3", -3),
        ("KEY     =                    T / true", True),
        ("KEY     = 'it''s / here  '   / text", "it's / here"),
        ("KEY     = ''", ""),
        ("KEY     = 'never closed", None),
        ("KEY     = 1.5", None),
        ("COMMENT = is no keyword = 1", None),
        ("HIERARCH CTAO A B = 1", None),
    ],
)
def test_simple_cards_are_read(card: str, value: object) -> None:
    found = simple_cards(card.ljust(80).encode())
    assert found.get("KEY") == value
