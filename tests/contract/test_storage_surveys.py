"""Every storage lists what lies there, unfinished copies too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpps.adapters.memory.storage import MemoryStorage
from dpps.adapters.storage.file_urls import MARK
from dpps.adapters.storage.posix import PosixStorage
from dpps.adapters.storage.survey import Survey
from dpps.data.audit.ports import StorageSurvey
from dpps.testing.server_storage_contract import RawServer
from dpps.testing.storage_survey_contract import StorageSurveyContract
from tests.contract.test_storage_memory import PREFIX, RawMemory

if TYPE_CHECKING:
    from dpps.testing.xrootd_servers import XrootdServers

type Written = Callable[[str, datetime], None]


class TestMemorySurvey(StorageSurveyContract):
    @pytest.fixture
    def survey(self) -> MemoryStorage:
        return MemoryStorage()

    @pytest.fixture
    def raw(self, survey: MemoryStorage) -> RawMemory:
        return RawMemory(survey)

    @pytest.fixture
    def written(self, survey: MemoryStorage) -> Written:
        return lambda name, at: survey.changed_at.update({PREFIX + name: at})

    def test_a_copy_under_way_is_listed(self, survey: MemoryStorage, raw: RawMemory) -> None:
        source = raw.put("ctao/a.dat", b"x")
        survey.copy_aside(source, raw.url("ctao/b.dat"), "7-1", lambda: None)
        assert [one.url for one in survey.everything(raw.url("ctao"))] == [raw.url("ctao/.dpps-7-1"), source]


class FolderSurveyContract(StorageSurveyContract):
    """Where the files are those of a folder of this machine."""

    @pytest.fixture
    def written(self, raw: RawServer) -> Written:
        return lambda name, at: os.utime(raw.root / name, (at.timestamp(), at.timestamp()))


class TestPosixSurvey(FolderSurveyContract):
    @pytest.fixture
    def raw(self, tmp_path: Path) -> RawServer:
        root = tmp_path / "storage"
        root.mkdir()
        return RawServer(root, f"file://localhost{root}")

    @pytest.fixture
    def survey(self, raw: RawServer) -> StorageSurvey:
        return PosixStorage([raw.root])

    def test_neither_links_nor_pipes_nor_the_mark_are_files(
        self, survey: StorageSurvey, raw: RawServer
    ) -> None:
        url = raw.put("ctao/a.dat", b"x")
        raw.put(MARK, b"mark")
        (raw.root / "ctao" / "link").symlink_to(raw.root / "ctao" / "a.dat")
        os.mkfifo(raw.root / "ctao" / "pipe")
        assert [one.url for one in survey.everything(raw.url(""))] == [url]

    def test_of_a_folder_all_is_surveyed_not_the_vo_alone(
        self, survey: StorageSurvey, raw: RawServer
    ) -> None:
        raw.put("ctao/a.dat", b"x")
        raw.put("strange/b.dat", b"x")
        assert len(list(Survey(survey, "ctao").everything(raw.url("")))) == 2


@pytest.mark.xrootd
class TestServerSurvey(FolderSurveyContract):
    @pytest.fixture(params=["https", "root"])
    def raw(self, request: pytest.FixtureRequest, xrootd_servers: XrootdServers) -> Iterator[RawServer]:
        raw = RawServer(xrootd_servers.raw("NEAR"), xrootd_servers.prefix("NEAR", request.param))
        yield raw
        raw.empty()

    @pytest.fixture
    def survey(self, raw: RawServer, xrootd_servers: XrootdServers) -> StorageSurvey:
        return xrootd_servers.storage("preservation")

    def test_of_a_server_the_folder_of_the_vo_is_surveyed(
        self, survey: StorageSurvey, raw: RawServer
    ) -> None:
        raw.put("other/b.dat", b"x")
        url = raw.put("ctao/a.dat", b"x")
        assert [one.url for one in Survey(survey, "ctao").everything(raw.prefix + "/")] == [url]
