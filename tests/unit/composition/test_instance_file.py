"""The description of a system that cannot be read: one clear error, never a surprise."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.domain.errors import InvalidInput, NotFound


def test_a_device_is_no_system() -> None:
    with pytest.raises(NotFound, match="there is no system in /dev/null"):
        Instance.load(StateFolder(Path("/dev/null")))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b'{"format": "x"}'])
def test_a_damaged_description_is_named(tmp_path: Path, content: bytes) -> None:
    folder = StateFolder(tmp_path)
    folder.instance_file.write_bytes(content)
    with pytest.raises(InvalidInput, match=str(folder.instance_file)) as refused:
        Instance.load(folder)
    assert refused.value.code == "instance-damaged"


def test_a_description_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.instance_file.mkdir()
    with pytest.raises(InvalidInput, match=str(folder.instance_file)) as refused:
        Instance.load(folder)
    assert refused.value.next_step


def test_any_password_reaches_a_database_run_by_others(tmp_path: Path) -> None:
    from sqlalchemy.engine import make_url

    folder = StateFolder(tmp_path)
    folder.set_secret("postgres", "p@ss/wo:rd%20")
    url = make_url(Instance(database_url="postgresql+psycopg://ada@db.example/").database(folder, "dpps"))
    assert (url.username, url.password, url.host, url.database) == (
        "ada",
        "p@ss/wo:rd%20",
        "db.example",
        "dpps",
    )
