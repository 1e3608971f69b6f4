"""Storage on XRootD servers keeps the storage contract, and shows its bytes to nobody else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from dpps.adapters.storage.credentials import LocalTokens
from dpps.adapters.storage.server_urls import server_of
from dpps.composition.encryption import client_context
from dpps.composition.job_storage import build_job_storage, job_storage_access
from dpps.composition.storage import STORAGE_ISSUER, storage_authority, storage_issuer_key, storage_token
from dpps.data.transfers.ports import TransferStorage
from dpps.domain.errors import InvalidInput, NotAuthorized, Unavailable
from dpps.ops.certificates import ensure_authority
from dpps.testing.server_storage_contract import RawServer, ServerStorageContract
from dpps.testing.storage_contract import content_of
from dpps.testing.xrootd_servers import XrootdServers
from dpps.workload.context import StorageNeeds

pytestmark = pytest.mark.xrootd


@pytest.fixture
def raw(xrootd_servers: XrootdServers) -> Iterator[RawServer]:
    raw = RawServer(xrootd_servers.raw("NEAR"), xrootd_servers.prefix("NEAR"))
    yield raw
    raw.empty()


class TestWebdavStorage(ServerStorageContract):
    @pytest.fixture
    def storage(self, raw: RawServer, xrootd_servers: XrootdServers) -> TransferStorage:
        return xrootd_servers.storage()

    @pytest.mark.parametrize(
        "url",
        [
            "davs://127.0.0.1:1/ctao/a.dat",
            "davs://user@{server}/ctao/a.dat",
            "http://{server}/ctao/a.dat",
            "davs://{server}",
            "davs://{server}/ctao/%2e%2e/a.dat",
            "davs://{server}/ctao/a.dat?authz=x",
            "davs://{server}/ctao/a\nb",
        ],
    )
    def test_refuses_urls_that_are_not_ours(
        self, storage: TransferStorage, xrootd_servers: XrootdServers, url: str
    ) -> None:
        with pytest.raises(InvalidInput):
            storage.size_bytes(url.format(server=xrootd_servers.prefix("NEAR").removeprefix("https://")))


def test_rotten_bytes_are_found_though_the_server_remembers_a_checksum(
    raw: RawServer, xrootd_servers: XrootdServers, tmp_path: Path
) -> None:
    storage, url = xrootd_servers.storage(), raw.url("ctao/dpps/a.dat")
    (tmp_path / "a.dat").write_bytes(bytes(1000))
    good = storage.upload(tmp_path / "a.dat", url)
    path = raw.root / "ctao/dpps/a.dat"
    before = path.stat()

    with path.open("r+b") as stream:
        stream.seek(500)
        stream.write(b"\x01")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert "XrdCks.adler32" in " ".join(os.listxattr(path))
    assert storage.read_back(url) == content_of(path.read_bytes()) != good


def test_the_archive_opens_to_those_who_may(
    raw: RawServer, xrootd_servers: XrootdServers, tmp_path: Path
) -> None:
    product, kept = tmp_path / "a.dat", raw.put("ctao/acada/kept.dat", b"kept")
    product.write_bytes(b"x")
    for service in ("ingest", "transfers", "workload"):
        xrootd_servers.storage(service).upload(product, raw.url(f"ctao/acada/{service}.dat"))
    job = xrootd_servers.job_storage(reads=("/ctao/acada",))
    for storage in (xrootd_servers.storage("reader"), job):
        assert storage.read_back(kept) == content_of(b"kept")
        forbidden: tuple[Callable[[], object], ...] = (
            partial(storage.upload, product, raw.url("ctao/acada/new.dat")),
            partial(storage.upload, product, kept),
            partial(storage.delete, kept),
            partial(storage.rename, kept, raw.url("ctao/acada/moved.dat")),
        )
        for act in forbidden:
            with pytest.raises(NotAuthorized) as refused:
                act()
            assert refused.value.next_step
    job.upload(product, raw.url("ctao/tmp/p/1/1/a.dat"))
    with pytest.raises(NotAuthorized):
        xrootd_servers.storage("reader").upload(product, raw.url("ctao/tmp/p/1/1/b.dat"))

    assert raw.get("ctao/acada/kept.dat") == b"kept"
    written = {"ctao/acada/ingest.dat", "ctao/acada/transfers.dat", "ctao/acada/workload.dat"}
    assert raw.everything() == {"ctao/acada/kept.dat", "ctao/tmp/p/1/1/a.dat", *written}


def test_a_job_has_what_it_needs_and_no_more(
    raw: RawServer, xrootd_servers: XrootdServers, tmp_path: Path
) -> None:
    url, other = raw.put("ctao/acada/night/a.dat", b"mine"), raw.put("ctao/acada/b.dat", b"not mine")
    (tmp_path / "a.dat").write_bytes(b"x")
    far = f"{xrootd_servers.prefix('FAR')}/ctao"
    access = job_storage_access(
        xrootd_servers.folder,
        StorageNeeds(job="p.1", reads=("/ctao/acada/night",), writes="/ctao/tmp/p/1/1", seconds=60),
    )
    assert access is not None
    assert not any(token in repr(access) for token in access.tokens.values())
    job = build_job_storage(access)

    assert job.read_back(url) == content_of(b"mine")
    assert job.upload(tmp_path / "a.dat", raw.url("ctao/tmp/p/1/1/a.dat")) == content_of(b"x")
    job.delete(raw.url("ctao/tmp/p/1/1/a.dat"))
    forbidden: tuple[Callable[[], object], ...] = (
        partial(job.read_back, other),
        partial(job.upload, tmp_path / "a.dat", raw.url("ctao/tmp/p/1/2/a.dat")),
        partial(job.upload, tmp_path / "a.dat", f"{far}/tmp/p/1/1/a.dat"),
        partial(job.copy_aside, url, f"{far}/tmp/p/1/1/a.dat", "1", lambda: None),
        partial(job.copy_aside, url, raw.url("ctao/tmp/p/1/1/b.dat"), "1", lambda: None),
    )
    for act in forbidden:
        with pytest.raises(NotAuthorized) as refused:
            act()
        assert refused.value.next_step


def test_a_token_for_one_server_opens_no_other(raw: RawServer, xrootd_servers: XrootdServers) -> None:
    near, far = xrootd_servers.prefix("NEAR"), xrootd_servers.prefix("FAR")
    url = raw.put("ctao/acada/kept.dat", b"kept")
    tokens = LocalTokens(
        storage_issuer_key(xrootd_servers.folder), STORAGE_ISSUER, "transfers", ["storage.read:/ctao"]
    )
    for_near, for_far = tokens.bearer(server_of(near)), tokens.bearer(server_of(far))
    assert for_near is not None
    assert for_far is not None

    assert xrootd_servers.storage_of_a_stranger(for_near).read_back(url) == content_of(b"kept")
    with pytest.raises(NotAuthorized):
        xrootd_servers.storage_of_a_stranger(for_far).read_back(url)
    with httpx.Client(verify=client_context(xrootd_servers.folder), trust_env=False) as http:
        handed = tokens.for_reader(server_of(near), "/ctao/acada/other.dat")
        refused = http.get(url, headers={"Authorization": f"Bearer {handed}"})
    assert refused.status_code == 403


@pytest.mark.parametrize("token", [None, "x", "over", "altered"])
def test_strangers_are_refused(
    raw: RawServer, xrootd_servers: XrootdServers, tmp_path: Path, token: str | None
) -> None:
    url = raw.put("ctao/acada/kept.dat", b"kept")
    (tmp_path / "a.dat").write_bytes(b"x")
    servers = [server_of(xrootd_servers.prefix(rse)) for rse in ("NEAR", "FAR")]
    if token == "over":
        token = storage_token(xrootd_servers.folder, "transfers", servers, lifetime_seconds=-30)
    elif token == "altered":
        reader, mover = (
            storage_token(xrootd_servers.folder, service, servers, lifetime_seconds=60)
            for service in ("reader", "transfers")
        )
        head, _, signature = reader.split(".")
        _, claims, _ = mover.split(".")
        token = f"{head}.{claims}.{signature}"
    stranger = xrootd_servers.storage_of_a_stranger(token)

    for forbidden in (
        lambda: stranger.read_back(url),
        lambda: stranger.size_bytes(url),
        lambda: list(stranger.list_files(raw.url("ctao"))),
        lambda: stranger.delete(url),
        lambda: stranger.upload(tmp_path / "a.dat", raw.url("ctao/acada/new.dat")),
        lambda: stranger.copy_aside(url, f"{xrootd_servers.prefix('FAR')}/ctao/a.dat", "1", lambda: None),
    ):
        with pytest.raises(NotAuthorized):
            forbidden()
    assert raw.everything() == {"ctao/acada/kept.dat"}


def test_a_server_that_another_authority_certified_is_refused(
    raw: RawServer, xrootd_servers: XrootdServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = raw.put("ctao/acada/kept.dat", b"kept")
    other = ensure_authority(tmp_path / "other").certificate
    # What the environment says changes nothing.
    monkeypatch.setenv("SSL_CERT_FILE", str(storage_authority(xrootd_servers.folder)))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    with pytest.raises(NotAuthorized) as refused:
        xrootd_servers.storage_of_a_stranger("x", authority=other).size_bytes(url)
    assert refused.value.code == "storage-untrusted"


def test_a_server_that_is_down_may_be_asked_again(
    raw: RawServer, xrootd_servers: XrootdServers, tmp_path: Path
) -> None:
    storage, url = xrootd_servers.storage(), raw.put("ctao/acada/kept.dat", b"kept")
    assert storage.size_bytes(url) == 4
    xrootd_servers.stop("NEAR")
    try:
        with pytest.raises(Unavailable) as down:
            storage.read_back(url)
    finally:
        xrootd_servers.start("NEAR")

    assert down.value.retryable
    assert storage.read_back(url) == content_of(b"kept")


@pytest.mark.parametrize(("client", "may_write"), [("reader", False), ("ingest", True)])
def test_certificates_open_the_storage_to_stock_clients(
    raw: RawServer, xrootd_servers: XrootdServers, client: str, may_write: bool
) -> None:
    raw.put("ctao/acada/kept.dat", b"kept")
    server = xrootd_servers.prefix("NEAR")
    with httpx.Client(verify=client_context(xrootd_servers.folder, client), trust_env=False) as http:
        assert http.head(f"{server}/").status_code == 200
        assert http.get(f"{server}//ctao/acada/kept.dat").content == b"kept"
        written = http.put(f"{server}/ctao/acada/new.dat", content=b"new")
    with httpx.Client(verify=client_context(xrootd_servers.folder), trust_env=False) as anonymous:
        assert anonymous.get(f"{server}/ctao/acada/kept.dat").status_code == 403

    assert written.is_success is may_write
    assert (raw.get("ctao/acada/new.dat") == b"new") is may_write
