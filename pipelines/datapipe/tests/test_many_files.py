"""Many files in one process, and the telescopes of an observation block in one file."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tables
from dpps_datapipe.array_description import array_description
from dpps_datapipe.process_files import output_path

from .conftest import CONFIGURATION, N_EVENTS, Processed, process, step

OPTIONS = ("--config", str(CONFIGURATION), "--write-images", "--write-parameters", "--no-write-showers")


@pytest.fixture(scope="module")
def streams(processed: Processed) -> list[Path]:
    """The streams of the four telescopes."""
    return [path for path in processed.hand_over.files if path.name.startswith("TEL")]


@pytest.fixture(scope="module")
def products(streams: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("products")
    files = ("--files", *map(str, streams), "--output-folder", str(folder))
    assert step("process-files", *files, "--", *OPTIONS) == 0
    return folder


def assert_equal_tables(first: Path, second: Path) -> int:
    """Compare all tables of two files; give their number."""
    with tables.open_file(first) as one, tables.open_file(second) as other:
        names = {table._v_pathname for table in one.walk_nodes("/", "Table")}
        # The stock tool writes no pointing of observed events.
        extra = {table._v_pathname for table in other.walk_nodes("/", "Table")} - names
        assert all(name.startswith("/dl0/monitoring/telescope/pointing/") for name in extra)
        for name in names:
            left, right = one.root[name][:], other.root[name][:]
            for column in left.dtype.names:
                if left[column].dtype.kind == "f":
                    np.testing.assert_allclose(left[column], right[column], rtol=1e-6, equal_nan=True)
                else:
                    np.testing.assert_array_equal(left[column], right[column])
    return len(names)


def test_products_equal_those_of_the_stock_tool(streams: list[Path], products: Path, tmp_path: Path) -> None:
    """The second file of many, and the same file in a process of its own."""
    stream, alone = streams[1], tmp_path / "alone.h5"
    tool = str(Path(sys.executable).with_name("ctapipe-process"))
    files = ["--input", str(stream), "--output", str(alone), f"--provenance-log={tmp_path / 'log'}"]
    with array_description():
        subprocess.run([tool, *files, *OPTIONS], check=True)
    together = output_path(stream, products, "dl1")
    assert assert_equal_tables(alone, together) > 5
    (record,) = json.loads(Path(f"{together}.provenance.log").read_text(encoding="utf-8"))
    assert [Path(entry["url"]).name for entry in record["output"]] == [together.name]
    assert "ctapipe" in {package["name"] for package in record["system"]["python"]["packages"]}


def test_bad_file_does_not_stop_the_others(
    streams: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "TEL001_bad.fits.fz"
    bad.write_bytes(streams[0].read_bytes()[:3000])
    folder = tmp_path / "out"
    files = ("--files", str(bad), str(streams[0]), "--output-folder", str(folder), "--jobs", "2", "--json")
    assert step("process-files", *files, "--", *OPTIONS) != 0
    captured = capsys.readouterr()
    results = json.loads(captured.out.splitlines()[-1])
    assert [result["exit_code"] == 0 for result in results] == [False, True]
    assert "TEL001_bad.fits.fz" in captured.err
    assert [path.name for path in folder.glob("*.h5")] == [output_path(streams[0], folder, "dl1").name]


def test_joined_telescopes_equal_the_array_read_at_once(
    products: Path, processed: Processed, tmp_path: Path
) -> None:
    joined = tmp_path / "joined.h5"
    files = sorted(map(str, products.glob("*.h5")))
    log = tmp_path / "join.log"
    assert step("join-telescopes", *files, "--output", str(joined), "--provenance-log", str(log)) == 0
    with tables.open_file(joined) as one, tables.open_file(processed.dl1) as other:
        for table in other.walk_nodes("/dl1/event/telescope", "Table"):
            if "/parameters/" in table._v_pathname:
                left, right = one.root[table._v_pathname][:], table[:]
                np.testing.assert_allclose(left["hillas_intensity"], right["hillas_intensity"], rtol=1e-6)
        triggers = one.root["/dl1/event/subarray/trigger"]
        assert triggers.nrows == N_EVENTS
        expected = other.root["/dl1/event/subarray/trigger"].col("tels_with_trigger")
        np.testing.assert_array_equal(triggers.col("tels_with_trigger"), expected)
    (record,) = json.loads(log.read_text(encoding="utf-8"))
    assert len(record["input"]) == len(files)
    showers = tmp_path / "showers.h5"
    reading = ("--input", str(joined), "--output", str(showers), f"--provenance-log={tmp_path / 'log'}")
    stereo = ("--no-write-images", "--no-write-parameters", "--write-showers")
    assert process(*reading, *stereo) == 0
    node = "/dl2/event/subarray/geometry/HillasReconstructor"
    with tables.open_file(showers) as one, tables.open_file(processed.dl2) as other:
        for name in ("HillasReconstructor_alt", "HillasReconstructor_az"):
            np.testing.assert_allclose(one.root[node].col(name), other.root[node].col(name), rtol=1e-6)


def _part(path: Path, output: Path, *, odd: bool) -> Path:
    """Write the DL1 events of one of two parallel streams: those with odd or even identifiers."""
    shutil.copyfile(path, output)
    with tables.open_file(output, "r+") as file:
        for table in list(file.walk_nodes("/dl1/event", "Table")):
            if "event_id" in table.colnames:
                rows = table[table.col("event_id") % 2 == odd]
                table.remove_rows()
                table.append(rows)
    return output


def test_parallel_streams_of_a_telescope_are_joined_in_order(products: Path, tmp_path: Path) -> None:
    first = min(products.glob("*.h5"))
    parts = [str(_part(first, tmp_path / f"{odd}.h5", odd=odd)) for odd in (False, True)]
    output = tmp_path / "joined.h5"
    assert step("join-telescopes", *parts, "--output", str(output)) == 0
    with tables.open_file(output) as one, tables.open_file(first) as other:
        for table in other.walk_nodes("/dl1/event", "Table"):
            if "event_id" in table.colnames:
                joined = one.root[table._v_pathname]
                # By their bytes: NaN of what could not be measured is the same, too.
                assert joined[:].tobytes() == table[:].tobytes()
                assert joined.attrs._f_list("user") == table.attrs._f_list("user")
                assert joined.nrows == N_EVENTS


def test_same_telescope_twice_is_refused(
    products: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = str(min(products.glob("*.h5")))
    output = tmp_path / "joined.h5"
    assert step("join-telescopes", first, first, "--output", str(output)) == 104
    assert "the same events are in several of the files" in capsys.readouterr().err
    assert not output.exists()
