"""XRootD servers as storage elements: their configuration, and who may do what on them.

One server for each site, HTTPS and ``root://`` on one port, TLS always. Two kinds of credential are known:
bearer tokens of this system's issuer (WLCG profile), which say themselves what they open, and client
certificates of this system's authority, for stock clients, whose rights are in ``authdb``.

Files of one server, below ``<state>/xrootd/<RSE>/``: ``xrootd.cfg``, ``scitokens.cfg``, ``authdb``,
``gridmap``, ``cache/`` (the issuer's public key) and ``admin/`` (sockets and notes of the server).
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dpps.composition.instance import write_atomically
from dpps.composition.state import StateFolder
from dpps.composition.storage import STORAGE_ISSUER, ensure_issuer, storage_audiences
from dpps.domain.errors import NotFound
from dpps.ops.certificates import ensure_authority, ensure_certificate

__all__ = [
    "CLIENTS",
    "XrootdServer",
    "assert_installed",
    "ensure_server",
    "prepared_server",
    "service_name",
    "xrootd_program",
    "xrootd_user",
]

CLIENTS: Final = {"ingest": "a", "reader": "rl"}
"""Client certificates for stock clients, with their rights below the VO's folder (``acc.authdb``)."""
_KEPT_SECONDS: Final = 10 * 365 * 24 * 3600
"""How long a server trusts the issuer's key without asking the issuer, which has no address."""
_KEY_CACHE: Final = "scitokens_cpp.sqllite"  # codespell:ignore sqllite
"""File of the library scitokens-cpp, in its spelling."""
_LOOPBACK: Final = ("localhost", "127.0.0.1")

_CONFIGURATION: Final = """\
# Written at every start.
all.export /
oss.localroot {data}
all.adminpath {admin}
all.pidpath {admin}
xrd.port {port}
xrd.network nodnr
{allowed}
xrd.sched mint 4 maxt 256 avlt 4 idle 60
xrd.timeout read 30 idle 300
xrd.protocol http:{port} libXrdHttp.so
xrd.tls {certificate} {key}
xrd.tlsca certdir {trusted}
# TLS for whole sessions of root:// too: tokens are no secret otherwise.
xrootd.tls all
xrootd.seclib libXrdSec.so
sec.protocol ztn
http.gridmap {gridmap}
http.header2cgi Authorization authz
http.listingdeny yes
http.exthandler xrdtpc libXrdHttpTPC.so
tpc.timeout 60 30
xrootd.chksum max 2 adler32
ofs.tpc autorm fcreds ztn =BEARER_TOKEN_FILE pgm {xrdcp} --server
ofs.authorize 1
ofs.authlib ++ libXrdAccSciTokens.so config={scitokens}
acc.authdb {authdb}
acc.audit deny
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class XrootdServer:
    """One server, ready to be started."""

    command: tuple[str, ...]
    environment: dict[str, str]
    user: str | None
    """User to drop to; None to stay who we are."""


def xrootd_program() -> Path | None:
    """Return the server program, or None where it is not installed."""
    found = shutil.which("xrootd")
    return Path(found) if found else None


def assert_installed() -> None:
    """Refuse to go on without the programs and their user.

    Raises
    ------
    NotFound
        Naming what is missing and what installs it.
    """
    xrootd_user()
    if xrootd_program() is None or shutil.which("xrdcp") is None:
        raise NotFound(
            "the programs xrootd and xrdcp are not installed",
            code="xrootd-missing",
            next_step="run: scripts/install-debian-packages   (or start with: dpps up --storage posix)",
        )


def xrootd_user() -> str | None:
    """Return the system user for the servers when we are root; None when we are an ordinary user.

    Raises
    ------
    NotFound
        When we are root and there is no such user: the server refuses to run as root.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("xrootd").pw_name
    except KeyError:
        raise NotFound(
            "this machine has no user 'xrootd', and the server refuses to run as root",
            code="xrootd-user-missing",
            next_step="run: scripts/install-debian-packages",
        ) from None


def service_name(rse: str) -> str:
    """Return the name of a site's storage service."""
    return f"storage-{rse.lower()}"


def ensure_server(
    folder: StateFolder,
    rse: str,
    *,
    port: int,
    vo: str,
    hosts: tuple[str, ...] = _LOOPBACK,
    anyone_connects: bool = False,
) -> XrootdServer:
    """Write everything that one server needs; idempotent.

    Parameters
    ----------
    folder : StateFolder
        The system.
    rse : str
        The storage element; its bytes lie in ``storage/<RSE>``.
    port : int
        Port for HTTPS and ``root://``.
    vo : str
        First folder of all names.
    hosts : tuple of str
        Names and addresses that its certificate is valid for.
    anyone_connects : bool
        False: connections from other addresses than this machine's loopback are dropped before a byte is
        read. (XRootD listens on all addresses of the machine and cannot be told otherwise.)

    Raises
    ------
    NotFound
        When the programs or their user are missing.
    """
    assert_installed()
    user = xrootd_user()
    home, data = folder.root / "xrootd" / rse, folder.storage(rse)
    for path in (home, data, home / "admin", home / "cache" / "scitokens"):
        path.mkdir(parents=True, exist_ok=True)
    certificates = folder.certificates
    proof = ensure_certificate(certificates, service_name(rse), hosts=hosts, owner=user)
    for client in CLIENTS:
        _ensure_client(folder, client)
    _write_authorisation(home, vo, storage_audiences([f"{host}:{port}" for host in hosts]))
    _give_issuer_key(home / "cache" / "scitokens" / _KEY_CACHE, ensure_issuer(folder))
    text = _CONFIGURATION.format(
        data=data,
        admin=home / "admin",
        port=port,
        allowed="" if anyone_connects else "\n".join(f"xrd.allow host {host}" for host in _LOOPBACK),
        certificate=proof.certificate,
        key=proof.key,
        trusted=ensure_authority(certificates).folder,
        gridmap=home / "gridmap",
        xrdcp=shutil.which("xrdcp"),
        scitokens=home / "scitokens.cfg",
        authdb=home / "authdb",
    )
    write_atomically(home / "xrootd.cfg", text)
    if user is not None:
        _give_to(user, data, home / "admin", home / "cache")
    return prepared_server(folder, rse)


def prepared_server(folder: StateFolder, rse: str) -> XrootdServer:
    """Return how a server that `ensure_server` has prepared is started."""
    home = folder.root / "xrootd" / rse
    return XrootdServer(
        command=(str(xrootd_program()), "-c", str(home / "xrootd.cfg"), "-n", rse.lower()),
        environment={
            "XDG_CACHE_HOME": str(home / "cache"),
            "X509_CERT_DIR": str(folder.certificates / "trusted"),
            "HOME": str(home / "admin"),
        },
        user=xrootd_user(),
    )


def _ensure_client(folder: StateFolder, name: str) -> None:
    """Make a client's certificate, and the one file with its key that stock clients want."""
    files = ensure_certificate(folder.certificates, name)
    together = files.certificate.read_text() + files.key.read_text()
    if not folder.credential(name).exists() or folder.credential(name).read_text() != together:
        write_atomically(folder.credential(name), together, mode=0o600)


def _write_authorisation(home: Path, vo: str, audiences: Sequence[str]) -> None:
    # The first path that fits counts. Stock clients look at the root to see whether the server is there.
    rights = [f"u {client} /{vo} {letters} / l" for client, letters in CLIENTS.items()]
    write_atomically(home / "authdb", "\n".join(rights) + "\n")
    names = [f'"/O=dpps/CN={client}" {client}' for client in CLIENTS]
    write_atomically(home / "gridmap", "\n".join(names) + "\n")
    write_atomically(
        home / "scitokens.cfg",
        f"[Global]\naudience = {', '.join(audiences)}\nonmissing = passthrough\n\n"
        f"[Issuer dpps]\nissuer = {STORAGE_ISSUER}\nbase_path = /\ndefault_user = dpps\n",
    )


def _give_issuer_key(cache: Path, keys: dict[str, Any]) -> None:
    """Put the issuer's public key where the server keeps those that it has fetched.

    The library of the server (scitokens-cpp) would fetch it from the issuer's address over HTTPS with the
    machine's own list of authorities: nothing of the kind is needed on one machine.
    """
    until = int(time.time()) + _KEPT_SECONDS
    entry = json.dumps({"expires": until, "next_update": until, "jwks": keys})
    with sqlite3.connect(cache) as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS keycache (issuer text UNIQUE PRIMARY KEY NOT NULL,keys text NOT NULL)"
        )
        database.execute("INSERT OR REPLACE INTO keycache VALUES (?, ?)", (STORAGE_ISSUER, entry))
    database.close()


def _give_to(user: str, *folders: Path) -> None:
    entry = pwd.getpwnam(user)
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            if path.lstat().st_uid != entry.pw_uid:
                os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
