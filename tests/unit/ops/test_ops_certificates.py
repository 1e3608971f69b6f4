"""The system's own certificate authority."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from dpps.domain.errors import InvalidInput
from dpps.ops.certificates import CertificateFiles, ensure_authority, ensure_certificate


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _shake_hands(
    server: CertificateFiles, client: ssl.SSLContext, host: str = "localhost"
) -> dict[str, object]:
    """Connect once with TLS on both sides; return what the server learned of the client."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(server.authority))
    serving.verify_mode = ssl.CERT_REQUIRED
    serving.load_cert_chain(server.certificate, server.key)
    seen: dict[str, object] = {}
    near, far = socket.socketpair()

    def serve() -> None:
        try:
            with serving.wrap_socket(far, server_side=True) as stream:
                seen.update(stream.getpeercert() or {})
                stream.sendall(b"x")
        except OSError as failure:
            seen["failure"] = failure
        finally:
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with near, client.wrap_socket(near, server_hostname=host) as stream:
            stream.recv(1)
    finally:
        thread.join()
    return seen


def test_both_ends_prove_who_they_are(tmp_path: Path) -> None:
    server, service = ensure_certificate(tmp_path, "CSCS"), ensure_certificate(tmp_path, "transfers")
    # OpenSSL finds the authority by the hash in the name of its file.
    client = ssl.create_default_context(capath=str(ensure_authority(tmp_path).folder))
    client.load_cert_chain(service.certificate, service.key)

    for host in ("localhost", "127.0.0.1"):
        seen = _shake_hands(server, client, host)
        assert seen["subject"] == ((("organizationName", "dpps"),), (("commonName", "transfers"),))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        _shake_hands(server, client, "other.example")


def test_another_authority_is_refused(tmp_path: Path) -> None:
    server = ensure_certificate(tmp_path / "one", "CSCS")
    stranger = ssl.create_default_context(cafile=str(ensure_authority(tmp_path / "two").certificate))

    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(server, stranger)


def test_keys_are_for_their_owner_only_and_all_else_can_be_read(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path / "certificates", "transfers")
    authority = ensure_authority(tmp_path / "certificates")

    assert _mode(files.key) == _mode(authority.key) == 0o600
    assert _mode(files.certificate) == 0o644
    assert _mode(files.key.parent) == _mode(authority.folder) == 0o755


def test_what_is_good_is_kept_and_renewed_in_time(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    files = ensure_certificate(tmp_path, "transfers", now=now)
    first = files.certificate.read_bytes()

    ensure_certificate(tmp_path, "transfers", now=now + timedelta(days=100))
    assert files.certificate.read_bytes() == first
    ensure_certificate(tmp_path, "transfers", now=now + timedelta(days=300))
    second = files.certificate.read_bytes()
    assert second != first
    end = x509.load_pem_x509_certificate(second).not_valid_after_utc
    assert end > now + timedelta(days=600)


def test_a_new_authority_certifies_everything_anew(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    files = ensure_certificate(tmp_path, "transfers", now=now)
    first, authority = files.certificate.read_bytes(), files.authority.read_bytes()

    ensure_certificate(tmp_path, "transfers", now=now + timedelta(days=3000))

    assert files.authority.read_bytes() != authority
    assert files.certificate.read_bytes() != first
    assert len(list((tmp_path / "trusted").iterdir())) == 1


@pytest.mark.parametrize("part", ["key", "certificate"])
def test_half_a_pair_is_replaced(tmp_path: Path, part: str) -> None:
    files, other = ensure_certificate(tmp_path, "transfers"), ensure_certificate(tmp_path, "ingest")
    getattr(files, part).write_bytes(getattr(other, part).read_bytes())

    again = ensure_certificate(tmp_path, "transfers")

    context = ssl.create_default_context(cafile=str(again.authority))
    context.load_cert_chain(again.certificate, again.key)
    assert context.cert_store_stats()["x509_ca"] == 1


def test_other_hosts_make_another_certificate(tmp_path: Path) -> None:
    ensure_certificate(tmp_path, "CSCS")
    files = ensure_certificate(tmp_path, "CSCS", hosts=["storage.example", "10.0.0.1"])

    names = x509.load_pem_x509_certificate(files.certificate.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["storage.example"]


@pytest.mark.parametrize("name", ["../up", "", "authority", "trusted", "a/b", ".hidden"])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        ensure_certificate(tmp_path, name)
