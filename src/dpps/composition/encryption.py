"""How services of one system speak to each other in secret, and know who speaks.

The certificates are made by ``dpps up`` (`dpps.ops.credentials`); here they are only read.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from dpps.composition.state import StateFolder
from dpps.domain.errors import NotFound

__all__ = ["client_context", "server_context"]


def server_context(folder: StateFolder, name: str) -> ssl.SSLContext:
    """Return what a service answers with: its own certificate; clients may show one of the same authority.

    A certificate of any other authority ends the connection; a caller without one is let in, so that health
    and figures can be read, and it is the service's to refuse the rest.

    Parameters
    ----------
    folder : StateFolder
        The system.
    name : str
        Name of the service.

    Raises
    ------
    NotFound
        When the system has no certificate of that name.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=_authority(folder))
    context.load_cert_chain(_credential(folder, name), folder.certificates / name / "key.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(folder: StateFolder, name: str | None = None) -> ssl.SSLContext:
    """Return what a client connects with: servers must be of our own authority, whatever the machine trusts.

    Parameters
    ----------
    folder : StateFolder
        The system.
    name : str, optional
        Who the client shows itself as; nobody by default.

    Raises
    ------
    NotFound
        When the system has no certificate of that name.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=_authority(folder))
    if name is not None:
        context.load_cert_chain(_credential(folder, name), folder.certificates / name / "key.pem")
    return context


def _authority(folder: StateFolder) -> Path:
    return _existing(folder, folder.certificates / "authority" / "certificate.pem")


def _credential(folder: StateFolder, name: str) -> Path:
    return _existing(folder, folder.certificates / name / "certificate.pem")


def _existing(folder: StateFolder, path: Path) -> Path:
    if not path.exists():
        raise NotFound(
            f"there is no certificate {path}",
            code="certificate-missing",
            next_step=f"run: dpps up --state {folder.root}",
            path=path,
        )
    return path
