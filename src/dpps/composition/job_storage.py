"""What opens the storages to one job: made by the workload service, used by the worker."""

from __future__ import annotations

from dpps.composition.instance import Instance
from dpps.composition.state import StateFolder
from dpps.composition.storage import (
    STORAGE_ISSUER,
    is_server,
    storage_authority,
    storage_issuer_key,
    storages_of,
)
from dpps.data.transfers.ports import TransferStorage
from dpps.workload.bundle import StorageAccess
from dpps.workload.context import StorageNeeds

__all__ = ["build_job_storage", "job_storage_access"]


def job_storage_access(folder: StateFolder, needs: StorageNeeds) -> StorageAccess | None:
    """Return what opens the storages to one job and nothing that it does not need; None for no server.

    Parameters
    ----------
    folder : StateFolder
        The system.
    needs : StorageNeeds
        What the job reads and writes, and for how long.
    """
    from dpps.adapters.storage.credentials import audience_of, mint_token
    from dpps.adapters.storage.server_urls import server_of

    instance = Instance.load(folder)
    servers = [site for site in instance.sites if is_server(site.url_prefix)]
    if not servers:
        return None
    reading = [f"storage.read:{path}" for path in needs.reads]
    # A server reads a file that it has just taken, to tell its checksum.
    writing = [f"storage.modify:{needs.writes}", f"storage.read:{needs.writes}"]
    scopes = {
        site.url_prefix: reading + (writing if site.rse == instance.computing_storage else [])
        for site in servers
    }
    key = storage_issuer_key(folder)
    tokens = {
        prefix: mint_token(
            key,
            issuer=STORAGE_ISSUER,
            subject=f"job:{needs.job}",
            audiences=[audience_of(server_of(prefix))],
            scopes=wanted,
            lifetime_seconds=needs.seconds,
        )
        for prefix, wanted in scopes.items()
        if wanted
    }
    return StorageAccess(authority=storage_authority(folder).read_text(), tokens=tokens) if tokens else None


def build_job_storage(access: StorageAccess | None = None) -> TransferStorage:
    """Return a worker's access to storages, made of what it was given alone.

    Parameters
    ----------
    access : StorageAccess, optional
        What opens storage servers; ``file://`` works without.
    """
    if access is None:
        return storages_of([], None, None)
    from dpps.adapters.storage.credentials import GivenTokens
    from dpps.adapters.storage.server_urls import server_of

    tokens = {server_of(prefix): token for prefix, token in access.tokens.items() if token}
    return storages_of(list(access.tokens), access.authority, GivenTokens(tokens))
