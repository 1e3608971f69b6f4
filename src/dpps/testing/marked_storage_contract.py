"""What every storage with a mark must do while the mark is not shown.

Subclass `MarkedStorageContract` in ``tests/contract`` and give the fixtures ``storage`` and ``place``.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dpps.data.audit.ports import SurveyedStorage
from dpps.domain.errors import Unavailable

__all__ = ["MarkedPlace", "MarkedStorageContract"]

type Act = Callable[[SurveyedStorage, str, Path], object]

_ACTS: tuple[Act, ...] = (
    lambda storage, url, source: storage.size_bytes(url),
    lambda storage, url, source: storage.read_back(url),
    lambda storage, url, source: storage.download(url, source.with_name("got")),
    lambda storage, url, source: storage.upload(source, url),
    lambda storage, url, source: storage.rename(url, url + "-renamed"),
    lambda storage, url, source: storage.delete(url),
    lambda storage, url, source: list(storage.list_files(url)),
    lambda storage, url, source: list(storage.everything(url)),
    lambda storage, url, source: storage.publish(url, "token"),
    lambda storage, url, source: storage.discard(url, "token"),
    lambda storage, url, source: storage.copy_aside(url, url + "-copy", "token", lambda: None),
)


class MarkedPlace:
    """The folder in which a storage keeps its files.

    Parameters
    ----------
    root : Path
        The folder, with its mark.
    mark : str
        Name of the file that is the mark.
    url : str
        URL of the folder, without a slash at the end.
    adopt : callable
        Gives a path to whoever serves the folder.
    """

    def __init__(
        self, root: Path, mark: str, url: str, adopt: Callable[[Path], None] = lambda _path: None
    ) -> None:
        self._mark = root / mark
        self.root = root
        self.url = url
        self._away = root.with_name(f"{root.name}-away")
        self._adopt = adopt

    def drop_out(self) -> None:
        """Leave an empty folder, as an unmounted file system does."""
        self.root.rename(self._away)
        self.root.mkdir()
        self._adopt(self.root)

    def come_back(self) -> None:
        """Show the files again, whatever lies there now."""
        if self._away.exists():
            self.root.rename(self.root.with_name(f"{self.root.name}-empty"))
            self._away.rename(self.root)

    def show_another_mark(self) -> None:
        """Show the mark of another storage."""
        self._mark.write_text("the mark of another storage")
        self._adopt(self._mark)

    def everything(self) -> list[Path]:
        """Return all that lies in the folder."""
        return sorted(self.root.rglob("*"))


class MarkedStorageContract:
    """The suite."""

    def test_with_its_mark_it_is_used_and_does_not_list_it(
        self, storage: SurveyedStorage, place: MarkedPlace, tmp_path: Path
    ) -> None:
        (tmp_path / "source").write_bytes(b"bytes")
        url = f"{place.url}/ctao/file"
        storage.upload(tmp_path / "source", url)
        assert storage.size_bytes(url) == 5
        assert storage.size_bytes(url + "-other") is None
        assert list(storage.list_files(f"{place.url}/ctao")) == [url]
        assert [one.url for one in storage.everything(f"{place.url}/ctao")] == [url]
        storage.delete(url)
        assert storage.size_bytes(url) is None

    @pytest.mark.parametrize("another", [False, True], ids=["empty", "another disk"])
    @pytest.mark.parametrize("act", _ACTS)
    def test_without_it_it_is_out_of_reach_and_nothing_is_written(
        self, storage: SurveyedStorage, place: MarkedPlace, tmp_path: Path, act: Act, another: bool
    ) -> None:
        (tmp_path / "source").write_bytes(b"bytes")
        place.drop_out()
        if another:
            place.show_another_mark()
        before = place.everything()
        with pytest.raises(Unavailable, match="is not there") as refused:
            act(storage, f"{place.url}/ctao/file", tmp_path / "source")
        assert refused.value.code == "storage-absent"
        assert refused.value.retryable
        assert refused.value.next_step
        assert place.everything() == before

    def test_what_was_away_is_there_again(
        self, storage: SurveyedStorage, place: MarkedPlace, tmp_path: Path
    ) -> None:
        (tmp_path / "source").write_bytes(b"bytes")
        url = f"{place.url}/ctao/file"
        storage.upload(tmp_path / "source", url)
        place.drop_out()
        with pytest.raises(Unavailable):
            storage.size_bytes(url)
        place.come_back()
        assert storage.size_bytes(url) == 5
