"""The certificates by which services of one system know each other, made before the first of them starts."""

from __future__ import annotations

from dpps.composition.instance import write_atomically
from dpps.composition.state import StateFolder
from dpps.ops.certificates import ensure_certificate

__all__ = ["write_credentials"]

_SERVER = "transfers"
_CLIENTS = ("rucio-daemons", "operator")
"""Who may speak to the transfer service: the catalogue's daemons, and the operators' commands."""


def write_credentials(folder: StateFolder) -> None:
    """Make the certificates of the transfer service and of its clients, unless they are there and young.

    Each pair is written into one file too, beside it: the stock transfer tool of Rucio reads certificate and
    key from the same file.
    """
    ensure_certificate(folder.certificates, _SERVER)
    for name in _CLIENTS:
        files = ensure_certificate(folder.certificates, name)
        together = files.certificate.read_text() + files.key.read_text()
        credential = folder.credential(name)
        if not credential.exists() or credential.read_text() != together:
            write_atomically(credential, together, mode=0o600)
