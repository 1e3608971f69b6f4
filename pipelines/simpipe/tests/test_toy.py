"""Toy hand-over: form, content, reproducibility."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from dpps_simpipe.toy import (
    ToyObservation,
    write_array_stream,
    write_telescope_stream,
)
from dpps_simpipe.toy.command import main
from dpps_simpipe.toy.handover import HandOver, make_hand_over
from protozfits import File

from dpps.domain.errors import Conflict

N_EVENTS = 2
SEED = 7


@pytest.fixture(scope="module")
def hand_over(tmp_path_factory: pytest.TempPathFactory) -> HandOver:
    return make_hand_over(tmp_path_factory.mktemp("acada"), n_events=N_EVENTS, seed=SEED)


def _stream_name(tel_id: int) -> str:
    block = "SBID0000000002000000000_OBSID0000000002000000000"
    return f"TEL{tel_id:03d}_SDH0000_20260115T220000_{block}_TEL_SHOWER_CHUNK000.fits.fz"


def test_files_lie_where_the_acquisition_system_puts_them(hand_over: HandOver) -> None:
    output = hand_over.truth.parents[1]
    identifier = f"{2_000_000_000 + SEED:019d}"
    for path in hand_over.files:
        parts = path.relative_to(output).parts
        assert parts[:3] == ("ctao", "acada", "DL0")
        assert parts[4:9] == ("ctao-north", "event", "2026", "01", "15")
        assert f"_SBID{identifier}_OBSID{identifier}_" in path.name
        assert parts[3] == ("ARRAY" if path.name.startswith("SUB") else f"LSTN-{path.name[4:6]}")
    assert {path.name[:3] for path in hand_over.files} == {"SUB", "TEL"}


def test_every_file_has_a_trigger_that_is_newer_than_all_data(hand_over: HandOver) -> None:
    newest = max(path.stat().st_mtime_ns for path in hand_over.files)
    assert len(hand_over.triggers) == len(hand_over.files)
    for trigger, path in zip(hand_over.triggers, hand_over.files, strict=True):
        assert trigger.is_symlink()
        assert trigger.resolve() == path.resolve()
        assert trigger.name == f"{path.name}.trigger"
        assert trigger.lstat().st_mtime_ns >= newest
    assert not list(hand_over.truth.parents[1].rglob("*.part"))


def test_checksums_verify_in_every_hdu(hand_over: HandOver) -> None:
    for path in hand_over.files:
        with fits.open(path) as hdus:
            for hdu in hdus:
                assert hdu.verify_checksum() == 1, (path, hdu.name)
                assert hdu.verify_datasum() == 1, (path, hdu.name)


def test_headers_follow_the_data_model_and_say_toy(hand_over: HandOver) -> None:
    for path in hand_over.files:
        with fits.open(path) as hdus:
            primary, stream = hdus[0].header, hdus["DataStream"].header
            assert primary["CTAOMETA"]
            assert primary["DATALEVL"] == "DL0"
            assert primary["OBS_ID"] == 2_000_000_000 + SEED
            assert primary["TELESCOP"] == "Simulated-CTAO"
            assert (primary["ALT_MIN"], primary["AZ_MEAN"]) == (70.0, 180.0)
            for header in (primary, stream):
                assert header["ORIGIN"] == "toy"
                assert "toy" in header["TITLE"]
            assert stream["DATE"] == "2026-01-15T22:00:00"
            assert all(hdu.header["DATE-END"] == "2026-01-15T22:01:00" for hdu in hdus[1:])


def test_headers_can_be_read_back_as_a_product(hand_over: HandOver) -> None:
    from ctao_datamodel import fits_header_to_instance
    from ctao_datamodel.models.dataproducts import Product

    telescope_file = hand_over.files[-1]
    product = fits_header_to_instance(fits.getheader(telescope_file), Product)
    assert product.instance.ae_id == int(telescope_file.name[3:6])
    assert product.acquisition is not None
    assert product.acquisition.sb_id == 2_000_000_000 + SEED


def test_streams_agree_on_events_and_telescopes(hand_over: HandOver) -> None:
    seen: dict[int, set[int]] = {}
    for path in hand_over.files:
        if path.name.startswith("TEL"):
            with File(str(path)) as stream:
                for event in stream.Events:
                    seen.setdefault(event.event_id, set()).add(event.tel_id)
                    assert event.waveform.size == 1855 * 40
    with File(str(hand_over.files[0])) as subarray:
        assert {event.event_id: set(event.tel_ids_with_data) for event in subarray.SubarrayEvents} == seen
    with File(str(hand_over.files[1])) as triggers:
        pairs = {(trigger.trigger_id, trigger.tel_id) for trigger in triggers.Triggers}
    assert pairs == {(event, tel) for event, telescopes in seen.items() for tel in telescopes}


def test_truth_is_labelled_and_complete(hand_over: HandOver) -> None:
    truth = Table.read(hand_over.truth, format="ascii.ecsv")
    assert truth.meta["label"] == "toy"
    assert truth.meta["seed"] == SEED
    assert len(truth) == N_EVENTS
    assert truth["true_alt"].unit == "deg"
    assert np.all(np.abs(truth["true_alt"] - 70.0) < 0.75)


def _rows(path: Path) -> list[tuple[str, str]]:
    """Give all messages of a stream in text; the bytes hold padding that varies."""
    stream = File(str(path), pure_protobuf=True)
    names = ("DataStream", "CameraConfiguration", "Events", "SubarrayEvents", "Triggers")
    return [(name, str(row)) for name in names if hasattr(stream, name) for row in getattr(stream, name)]


def _metadata(path: Path) -> list[dict[str, Any]]:
    with fits.open(path) as hdus:
        return [
            {card.keyword: card.value for card in hdu.header.cards if "SUM" not in card.keyword}
            for hdu in hdus
        ]


def test_same_seed_gives_the_same_events_and_headers(hand_over: HandOver, tmp_path: Path) -> None:
    again = make_hand_over(tmp_path, n_events=N_EVENTS, seed=SEED)
    assert (
        Table.read(again.truth, format="ascii.ecsv").pformat()
        == Table.read(hand_over.truth, format="ascii.ecsv").pformat()
    )
    for first, second in zip(hand_over.files, again.files, strict=True):
        assert first.name == second.name
        assert _rows(first) == _rows(second)
        assert _metadata(first) == _metadata(second)


def test_other_seed_gives_other_events_and_identifiers(hand_over: HandOver, tmp_path: Path) -> None:
    other = make_hand_over(tmp_path, n_events=N_EVENTS, seed=SEED + 1)
    assert not {path.name for path in other.files} & {path.name for path in hand_over.files}
    first, second = (Table.read(one.truth, format="ascii.ecsv") for one in (hand_over, other))
    assert not np.allclose(first["true_alt"], second["true_alt"])


def test_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = write_telescope_stream(tmp_path / _stream_name(1))
    before = path.read_bytes()
    with pytest.raises(Conflict, match="exists"):
        write_telescope_stream(path)
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [path]


def test_one_stream_needs_no_more_than_a_path(tmp_path: Path) -> None:
    path = write_telescope_stream(tmp_path / _stream_name(2), tel_id=2)
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["DataStream", "CameraConfiguration", "Events"]
        assert hdus["Events"].header["ZNAXIS2"] == 3
        assert all(hdu.verify_datasum() == 1 for hdu in hdus)


def test_flipped_byte_is_found_by_the_checksums(tmp_path: Path) -> None:
    path = write_telescope_stream(tmp_path / _stream_name(1))
    content = bytearray(path.read_bytes())
    with fits.open(path) as hdus:
        position = hdus["Events"].fileinfo()["datLoc"] + 5000
    content[position] ^= 0xFF
    path.write_bytes(content)
    with fits.open(path) as hdus:
        assert hdus["Events"].verify_datasum() == 0


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "SUB.fits.fz"
    broken: list[Any] = [None]
    with pytest.raises(AttributeError):
        write_array_stream(path, "SUBARRAY", observation=ToyObservation(), events=broken)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--events", "0"], "at least one"),
        (["--seed", "-1"], "out of range"),
        (["--scope", "../up"], "path component"),
    ],
)
def test_command_refuses_what_it_cannot_do(
    options: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--output", str(tmp_path / "out"), *options]) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_command_prints_nothing_but_the_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path), "--events", "1", "--seed", "3", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["label"] == "toy"
    assert all(Path(name).is_file() for name in result["files"])
    assert result["bytes"] == sum(Path(name).stat().st_size for name in result["files"])
