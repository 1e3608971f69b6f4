"""Events that a URL names: a file of this machine is checked as any other, the rest is ctapipe's to fetch."""

from pathlib import Path

import pytest
from dpps_datapipe.steps.command_line import named_files
from dpps_datapipe.steps.run import translate
from dpps_datapipe.steps.table import STEPS
from requests import ConnectionError as Unreachable
from requests import HTTPError

from dpps.domain.steps import MissingInput, TemporaryFailure

from .conftest import step


@pytest.mark.parametrize(
    ("word", "events", "urls"),
    [
        ("file:///data/gamma.simtel.zst", [Path("/data/gamma.simtel.zst")], []),
        ("dataset://gamma.simtel.zst", [], ["dataset://gamma.simtel.zst"]),
        ("https://example.org/gamma.simtel.zst", [], ["https://example.org/gamma.simtel.zst"]),
        ("data//gamma.simtel.zst", [Path("data/gamma.simtel.zst")], []),
    ],
)
def test_urls_are_told_from_files(word: str, events: list[Path], urls: list[str]) -> None:
    for words in (["--input", word], [f"--input={word}"]):
        named = named_files(STEPS["process"], words)
        assert (named.events, named.urls) == (events, urls)


def test_file_of_a_url_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "gamma.simtel.zst"
    output = tmp_path / "gamma.h5"
    assert step("process", "--input", missing.as_uri(), "--output", str(output)) == 105
    assert f"{missing}: the file is not there" in capsys.readouterr().err
    assert not output.exists()


def test_server_that_does_not_answer_may_do_so_later() -> None:
    assert isinstance(translate(Unreachable("no such host"), []), TemporaryFailure)
    assert isinstance(translate(HTTPError("404"), []), MissingInput)
