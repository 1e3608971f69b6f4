"""Storage over XRootD's own protocol keeps the same contract as over HTTPS, on the same servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.adapters.storage.credentials import LocalTokens
from dpps.adapters.storage.server_storage import ServerStorage
from dpps.adapters.storage.server_urls import server_of
from dpps.adapters.storage.xrootd import SCHEMES, XrootdProtocol, read_listing
from dpps.adapters.storage.xrootd_programs import XrootdPrograms
from dpps.composition.storage import STORAGE_ISSUER, storage_issuer_key
from dpps.data.transfers.ports import TransferStorage
from dpps.domain.errors import InvalidInput, NotAuthorized, NotFound, Unavailable
from dpps.ops.certificates import ensure_authority
from dpps.testing.server_storage_contract import RawServer, ServerStorageContract
from dpps.testing.storage_contract import content_of
from dpps.testing.xrootd_servers import XrootdServers


@pytest.fixture
def raw(xrootd_servers: XrootdServers) -> Iterator[RawServer]:
    raw = RawServer(xrootd_servers.raw("NEAR"), xrootd_servers.prefix("NEAR", "root"))
    yield raw
    raw.empty()


def root_storage(servers: XrootdServers, trusted: Path, *scopes: str) -> ServerStorage:
    """Return access over this protocol alone, trusting a folder of authorities."""
    tokens = LocalTokens(storage_issuer_key(servers.folder), STORAGE_ISSUER, "reader", scopes)
    known = [server_of(servers.prefix(rse)) for rse in ("NEAR", "FAR")]
    return ServerStorage(XrootdProtocol(XrootdPrograms(trusted), tokens), SCHEMES, known)


@pytest.mark.xrootd
class TestRootStorage(ServerStorageContract):
    @pytest.fixture
    def storage(self, raw: RawServer, xrootd_servers: XrootdServers) -> TransferStorage:
        return xrootd_servers.storage()

    @pytest.fixture
    def plain(self, xrootd_servers: XrootdServers) -> ServerStorage:
        trusted = xrootd_servers.folder.certificates / "trusted"
        return root_storage(xrootd_servers, trusted, "storage.read:/ctao", "storage.modify:/ctao")

    @pytest.mark.parametrize("scheme", ["root", "roots"])
    def test_both_schemes_mean_the_same(
        self, storage: TransferStorage, raw: RawServer, xrootd_servers: XrootdServers, scheme: str
    ) -> None:
        raw.put("ctao/dpps/a.dat", b"x")
        server = server_of(xrootd_servers.prefix("NEAR"))

        assert storage.read_back(f"{scheme}://{server}//ctao/dpps/a.dat") == content_of(b"x")

    @pytest.mark.parametrize("url", ["root://127.0.0.1:1//ctao/a", "root://{server}//ctao/a?authz=x"])
    def test_refuses_urls_that_are_not_ours(
        self, storage: TransferStorage, xrootd_servers: XrootdServers, url: str
    ) -> None:
        with pytest.raises(InvalidInput):
            storage.size_bytes(url.format(server=server_of(xrootd_servers.prefix("NEAR"))))

    def test_who_may_not_is_refused(self, raw: RawServer, xrootd_servers: XrootdServers) -> None:
        url = raw.put("ctao/acada/kept.dat", b"kept")
        reader = xrootd_servers.storage("reader")

        assert reader.read_back(url) == content_of(b"kept")
        with pytest.raises(NotAuthorized) as refused:
            reader.delete(url)
        assert refused.value.next_step
        assert raw.get("ctao/acada/kept.dat") == b"kept"

    def test_a_server_that_another_authority_certified_is_refused(
        self, raw: RawServer, xrootd_servers: XrootdServers, tmp_path: Path
    ) -> None:
        url = raw.put("ctao/acada/kept.dat", b"kept")
        other = ensure_authority(tmp_path / "other").folder

        with pytest.raises(NotAuthorized) as refused:
            root_storage(xrootd_servers, other, "storage.read:/").size_bytes(url)
        assert refused.value.code == "storage-untrusted"

    def test_a_server_that_is_down_may_be_asked_again(
        self, storage: TransferStorage, raw: RawServer, xrootd_servers: XrootdServers
    ) -> None:
        url = raw.put("ctao/acada/kept.dat", b"kept")
        xrootd_servers.stop("NEAR")
        try:
            with pytest.raises(Unavailable) as down:
                storage.read_back(url)
        finally:
            xrootd_servers.start("NEAR")

        assert (down.value.code, down.value.retryable) == ("storage-no-answer", True)
        assert storage.read_back(url) == content_of(b"kept")

    def test_a_source_that_breaks_off_leaves_nothing_under_the_name(
        self, plain: ServerStorage, raw: RawServer
    ) -> None:
        def broken() -> Iterator[bytes]:
            yield bytes(100_000)
            raise Unavailable("the source breaks off")

        url = raw.url("ctao/dpps/a.dat")
        with pytest.raises(Unavailable, match="breaks off"):
            plain.write_aside(url, "7-1", broken(), 200_000)
        plain.discard(url, "7-1")
        assert raw.everything() == set()

    def test_a_reader_who_leaves_early_leaves_no_program_behind(
        self, plain: ServerStorage, raw: RawServer
    ) -> None:
        chunks = iter(plain.read_chunks(raw.put("ctao/dpps/a.dat", bytes(20_000_000))))
        assert next(chunks)
        del chunks

        assert [child for child in psutil.Process().children() if child.name() == "xrdcp"] == []

    def test_no_token_is_on_a_command_line_or_in_a_file(
        self, plain: ServerStorage, raw: RawServer, xrootd_servers: XrootdServers
    ) -> None:
        chunks = iter(plain.read_chunks(raw.put("ctao/dpps/a.dat", bytes(20_000_000))))
        assert next(chunks)
        (program,) = [child for child in psutil.Process().children() if child.name() == "xrdcp"]
        assert program.environ()["BEARER_TOKEN_FILE"].startswith("/dev/fd/")
        assert "BEARER_TOKEN" not in program.environ()
        assert not any("eyJ" in word for word in program.cmdline())

    def test_a_program_that_is_not_installed_is_named(
        self, plain: ServerStorage, raw: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(NotFound) as missing:
            plain.size_bytes(raw.url("ctao/dpps/a.dat"))
        assert missing.value.code == "xrootd-missing"
        assert missing.value.next_step


@given(st.text(max_size=200))
def test_a_listing_tells_of_its_folder_only(told: str) -> None:
    for entry in read_listing(f"{told}\n-rw-r--r-- a b 7 2026-11-21 16:48:54 /ctao/x y.dat\n", "/ctao"):
        assert entry.path.startswith("/ctao/")
        assert "/" not in entry.path.removeprefix("/ctao/")


def test_a_listing_is_read() -> None:
    told = (
        "drwxr-xr-x xrootd xrootd         4096 2026-11-21 16:48:54 /ctao/t\n"
        "-rw-r--r-- xrootd xrootd 3000000 2026-11-21 16:48:54 /ctao/a b.dat\n"
        "-rw-r--r-- xrootd xrootd 3 2026-11-21 16:48:54 /other/a.dat\n"
    )
    folder, file = read_listing(told, "/ctao")

    assert (folder.path, folder.is_folder) == ("/ctao/t", True)
    assert (file.path, file.size_bytes, file.is_folder) == ("/ctao/a b.dat", 3_000_000, False)
