"""A certificate authority of our own: every service of one system proves who it is, without any outside help.

Below the given folder::

    authority/{certificate,key}.pem  the authority; its key is for its owner only
    trusted/<hash>.0                 its certificate under the name that OpenSSL looks for
    <name>/{certificate,key}.pem     one pair for each service
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import pwd
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dpps.composition.instance import write_atomically
from dpps.domain.errors import InvalidInput

__all__ = ["Authority", "CertificateFiles", "ensure_authority", "ensure_certificate"]

AUTHORITY_LIFETIME: Final = timedelta(days=3650)
CERTIFICATE_LIFETIME: Final = timedelta(days=397)
"""Longer ones are refused by some clients."""
_CURVE: Final = ec.SECP256R1()
"""Elliptic keys are made at once, and shake hands faster than RSA. (Only XRootD's GSI, which nothing here
uses, would want RSA.)"""
_BACKDATED: Final = timedelta(minutes=5)
"""Clocks of two machines may differ by so much."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The authority's files."""

    certificate: Path
    """PEM file for clients that want one file."""
    folder: Path
    """Folder with names by hash, for programs that want a folder."""
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """What one service needs to prove who it is and to check others; all PEM."""

    certificate: Path
    key: Path
    authority: Path
    """Certificate of the authority that others must show to be certified by."""


def ensure_authority(folder: Path, *, now: datetime | None = None) -> Authority:
    """Return the authority of a folder; made on first use, and anew in the last fifth of its life.

    Parameters
    ----------
    folder : pathlib.Path
        Where all certificates are kept; made when absent.
    now : datetime, optional
        Time to judge its age by; the clock's by default.
    """
    now = now or datetime.now(UTC)
    key_path = folder / "authority" / "key.pem"
    certificate_path = folder / "authority" / "certificate.pem"
    _make_folder(folder)
    _make_folder(folder / "authority")
    current = _usable_pair(certificate_path, key_path)
    if current is None or _is_old(current, now):
        current = _new_authority(certificate_path, key_path, now)
    trusted = folder / "trusted"
    _publish_by_hash(trusted, current)
    return Authority(certificate=certificate_path, folder=trusted, key=key_path)


def ensure_certificate(
    folder: Path,
    name: str,
    *,
    hosts: Sequence[str] = ("localhost", "127.0.0.1"),
    owner: str | None = None,
    now: datetime | None = None,
) -> CertificateFiles:
    """Return the certificate of a service; made on first use, and anew well before it expires.

    It is made anew too when the authority or the list of hosts has changed. It serves on both ends of a
    connection: as the server's proof and as the client's.

    Parameters
    ----------
    folder : pathlib.Path
        Where all certificates are kept.
    name : str
        The service, which becomes the common name of the certificate.
    hosts : sequence of str
        Host names and addresses that it is valid for.
    owner : str, optional
        System user who shall own the key; possible for root only.
    now : datetime, optional
        Time to judge its age by; the clock's by default.

    Raises
    ------
    InvalidInput
        When the name cannot be a folder's name.
    """
    if not _NAME.fullmatch(name) or name in {"authority", "trusted"}:
        raise InvalidInput(
            f"{name!r} cannot name a certificate",
            code="certificate-name",
            next_step="use letters, digits, '.', '_' and '-'",
        )
    now = now or datetime.now(UTC)
    authority = ensure_authority(folder, now=now)
    _make_folder(folder / name)
    files = CertificateFiles(
        certificate=folder / name / "certificate.pem",
        key=folder / name / "key.pem",
        authority=authority.certificate,
    )
    current = _usable_pair(files.certificate, files.key)
    if current is None or _is_old(current, now) or not _fits(current, authority, hosts):
        _new_certificate(files, authority, name, hosts, now)
    if owner is not None:
        entry = pwd.getpwnam(owner)
        os.chown(files.key, entry.pw_uid, entry.pw_gid)
    return files


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # whatever the umask: other system users must reach what is theirs


def _usable_pair(certificate: Path, key: Path) -> x509.Certificate | None:
    """Return a certificate, or None where there is none that belongs to the key.

    Being killed between the writing of one and of the other leaves such a pair.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    return found if private.public_key() == found.public_key() else None


def _is_old(certificate: x509.Certificate, now: datetime) -> bool:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    life = end - begin
    left = life / 5 if certificate.issuer == certificate.subject else life / 2
    return not begin <= now <= end - left


def _fits(certificate: x509.Certificate, authority: Authority, hosts: Sequence[str]) -> bool:
    issuer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return certificate.issuer == issuer.subject and set(names) == set(_alternative_names(hosts))


def _alternative_names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _new_authority(certificate_path: Path, key_path: Path, now: datetime) -> x509.Certificate:
    key = _new_key(key_path)
    # A name of its own for each: two authorities of one name could be taken for each other.
    # In lower case, so that the hash over the "canonical" name, which OpenSSL takes, is that of the name.
    name = _name(f"dpps local authority {x509.random_serial_number():x}"[:40])
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_certificate(certificate_path, certificate)
    return certificate


def _new_certificate(
    files: CertificateFiles, authority: Authority, name: str, hosts: Sequence[str], now: datetime
) -> None:
    issuer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    issuer_key = serialization.load_pem_private_key(authority.key.read_bytes(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise InvalidInput(
            f"{authority.key} is not a key of ours",
            code="authority-key",
            next_step=f"remove {authority.key.parent}; a new authority is made at the next start",
            path=authority.key,
        )
    public = _new_key(files.key).public_key()
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(min(now + CERTIFICATE_LIFETIME, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternative_names(hosts)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(_issuer_identifier(issuer), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    _write_certificate(files.certificate, certificate)


def _issuer_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "dpps"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _new_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(_CURVE)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_atomically(path, text.decode(), mode=0o600)
    return key


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    write_atomically(path, certificate.public_bytes(serialization.Encoding.PEM).decode())


def _publish_by_hash(folder: Path, certificate: x509.Certificate) -> None:
    """Leave exactly this certificate in the folder, under the name that OpenSSL computes."""
    _make_folder(folder)
    wanted = folder / f"{_subject_hash(certificate.subject)}.0"
    text = certificate.public_bytes(serialization.Encoding.PEM).decode()
    if not wanted.exists() or wanted.read_text() != text:
        write_atomically(wanted, text)
    for other in folder.iterdir():
        if other != wanted:
            other.unlink()


def _subject_hash(name: x509.Name) -> str:
    """Return OpenSSL's hash of a name whose values are plain ASCII in lower case.

    Of the canonical encoding (``X509_NAME_canon``): the list of relative names without the outer header.
    """
    # The header of a short sequence is two bytes, so the parts are encoded one by one.
    encoded = b"".join(x509.Name([part]).public_bytes()[2:] for part in name.rdns)
    return f"{int.from_bytes(hashlib.sha1(encoded, usedforsecurity=False).digest()[:4], 'little'):08x}"
