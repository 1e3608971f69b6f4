from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard

from dpps.adapters.zfits.cells import first_row
from dpps.adapters.zfits.inspector import ZfitsInspector
from dpps.domain.errors import DamagedFile
from dpps.testing.handed_files import make_raw_stream


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
