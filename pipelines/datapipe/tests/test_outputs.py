"""Files of the user that a step must not touch: its inputs, and good products of before."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dpps_datapipe.outputs import written_aside
from dpps_datapipe.provenance import file_checksum

from .conftest import CONFIGURATION, Processed, Synthetic, step

type Words = Callable[[Synthetic, Processed, str], list[str]]


def _event_list(made: Synthetic, same: str) -> list[str]:
    files = {"--events": made.observation, "--irf": made.response, "--cuts": made.selection}
    words = [str(word) for pair in files.items() for word in pair]
    return ["make-dl3", *words, "--observation", str(made.notes), "--output", same]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("dl1", lambda made, _, same: ["join-telescopes", same, "--output", same]),
        ("dl1", lambda made, seen, same: ["merge", str(seen.dl1), same, "--overwrite", "--output", same]),
        ("dl1", lambda made, _, same: ["process", "--input", same, f"--output={same}", "--overwrite"]),
        ("dl1", lambda made, seen, same: ["process", "--input", same, "--output", "x", "--log-file", same]),
        ("observation", lambda made, _, same: [*_event_list(made, same), "--events", same]),
        ("response", lambda made, _, same: [*_event_list(made, same), "--irf", same]),
        ("response", lambda made, _, same: ["check-irf", same, "--report", same]),
        ("response", lambda made, _, same: ["compare-irf", same, "--plot", same]),
    ],
)
def test_no_input_is_an_output(
    source: str,
    words: Words,
    processed: Processed,
    synthetic: Synthetic,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    original: Path = getattr(processed, source, None) or getattr(synthetic, source)
    same = tmp_path / original.name
    shutil.copyfile(original, same)
    assert step(*words(synthetic, processed, str(same))) == 101
    assert f"{same.name}: is to be read and written" in capsys.readouterr().err
    assert file_checksum(same) == file_checksum(original)
    assert list(tmp_path.iterdir()) == [same]


def test_an_input_by_another_name_is_no_output(
    processed: Processed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, link = tmp_path / "one.h5", tmp_path / "link.h5"
    shutil.copyfile(processed.dl1, one)
    link.symlink_to(one)
    assert step("join-telescopes", str(one), "--output", str(link)) == 101
    assert file_checksum(one) == file_checksum(processed.dl1)
    assert "one.h5: is to be read and written" in capsys.readouterr().err


def test_a_refused_join_leaves_what_is_there(
    processed: Processed, synthetic: Synthetic, tmp_path: Path
) -> None:
    there = tmp_path / "out.h5"
    there.write_bytes(b"of before")
    files = (str(synthetic.folder / "gamma.h5"), str(synthetic.folder / "proton.h5"))
    assert step("join-telescopes", *files, "--output", str(there)) == 104
    assert there.read_bytes() == b"of before"
    assert step("join-telescopes", str(processed.dl1), "--output", str(there)) == 0
    assert list(tmp_path.iterdir()) == [there]


def test_a_failed_step_leaves_the_product_of_before(
    processed: Processed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = next(path for path in processed.hand_over.files if path.name.startswith("TEL001"))
    there = tmp_path / "events.h5"
    there.write_bytes(b"of before")
    log = tmp_path / "log"
    words = ["process", "--config", str(CONFIGURATION), "--input", str(stream)]
    words += ["--output", str(there), "--provenance-log", str(log)]
    assert step(*words) == 101
    assert "events.h5: the output is there already" in capsys.readouterr().err
    # Fails after the writer has begun: no event is left.
    strict = ["--overwrite", "--EventTypeFilter.allowed_types=FLATFIELD"]
    assert step(*words, *strict) == 106
    assert there.read_bytes() == b"of before"
    assert sorted(tmp_path.iterdir()) == [there, log]
    log.unlink()
    assert step(*words, "--overwrite") == 0
    (record,) = json.loads(log.read_text(encoding="utf-8"))
    (output,) = record["output"]
    assert (Path(output["url"]), output["sha256"]) == (there, file_checksum(there))
    assert ".new-" not in log.read_text(encoding="utf-8")


def test_a_product_must_be_named(processed: Processed, capsys: pytest.CaptureFixture[str]) -> None:
    assert step("process", "--input", str(processed.dl1)) == 101
    assert "the product is not named — name it with --output" in capsys.readouterr().err


_KILLED = """
import os, signal, sys
from pathlib import Path
from dpps_datapipe.outputs import written_aside

product = Path(sys.argv[1])
with written_aside([product]) as names:
    names[product].write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_step_leaves_nothing_under_the_name_of_its_product(tmp_path: Path) -> None:
    product = tmp_path / "product.h5"
    done = subprocess.run([sys.executable, "-c", _KILLED, str(product)], check=False, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL
    assert not product.exists()
    with written_aside([product]) as names:
        assert not names[product].exists()
        names[product].write_bytes(b"whole")
    assert product.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [product]


def _add_and_fail(product: Path) -> None:
    with written_aside([product], append=True) as names:
        with names[product].open("ab") as stream:
            stream.write(b", second")
        raise ValueError("broken")


def test_appending_keeps_the_original_until_all_is_well(tmp_path: Path) -> None:
    product = tmp_path / "product.h5"
    product.write_bytes(b"first")
    with pytest.raises(ValueError, match="broken"):
        _add_and_fail(product)
    assert product.read_bytes() == b"first"
    with written_aside([product], append=True) as names, names[product].open("ab") as stream:
        stream.write(b", second")
    assert product.read_bytes() == b"first, second"
