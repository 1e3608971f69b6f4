"""The archive of one system: catalogue, storage and inspectors, chosen by its description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from dpps.composition.instance import Instance
from dpps.composition.principals import service_principal
from dpps.composition.state import StateFolder
from dpps.data.ingest import IngestSettings
from dpps.data.policy import PreservationPolicy, load_policy
from dpps.data.ports import Catalogue, FileInspector, Storage
from dpps.domain.principals import Principal

__all__ = [
    "IngestPartsOfSystem",
    "build_catalogue",
    "build_ingest_parts",
    "build_ingest_settings",
    "build_inspectors",
    "build_policy",
    "build_storage",
]


class IngestPartsOfSystem(TypedDict):
    """What the ingest service works with; the names are those of its own description."""

    principal: Principal
    connect: Callable[[], Catalogue]
    storage: Storage
    inspectors: list[FileInspector]
    policy: PreservationPolicy
    settings: IngestSettings


def build_catalogue(folder: StateFolder, account: str) -> Catalogue:
    """Return the catalogue of a running system, as one of its accounts.

    Parameters
    ----------
    folder : StateFolder
        The system.
    account : str
        ``ingest``, ``production`` or ``reader``; its password is the secret ``rucio-<account>``.
    """
    from dpps.adapters.rucio.catalogue import RucioCatalogue
    from dpps.adapters.rucio.connection import RucioAccount, connect

    instance = Instance.load(folder)
    client = connect(
        RucioAccount(
            url=instance.endpoint("rucio-server").url,
            name=account,
            password=folder.secret(f"rucio-{account}"),
            configuration=folder.rucio_client_config,
            tokens=folder.run / "tokens",
        )
    )
    return RucioCatalogue(client)


def build_storage() -> Storage:
    """Return access to the storages: physical URLs ``file://localhost/…``."""
    from dpps.adapters.storage.posix import PosixStorage

    return PosixStorage()


def build_inspectors() -> list[FileInspector]:
    """Return an inspector for each kind of file that the archive takes."""
    from dpps.adapters.eventio.simtel import SimtelInspector
    from dpps.adapters.zfits.inspector import ZfitsInspector

    return [ZfitsInspector(), SimtelInspector()]


def build_policy(folder: StateFolder) -> PreservationPolicy:
    """Return the preservation policy: ``config/policy.yaml`` where it exists, else the packaged one."""
    return load_policy(folder.config / "policy.yaml")


def build_ingest_settings(
    folder: StateFolder,
    *,
    handover: Path | None = None,
    array_site: str | None = None,
    remove_handed_over: bool = False,
    dry_run: bool = False,
) -> IngestSettings:
    """Return the settings of an ingest pass.

    A hand-over folder that is the root of an on-site storage is registered in place.

    Parameters
    ----------
    folder : StateFolder
        The system.
    handover : Path, optional
        Hand-over folder; the system's own by default.
    array_site, remove_handed_over, dry_run
        See `dpps.data.ingest.IngestSettings`.
    """
    instance = Instance.load(folder)
    root = (handover or folder.handover).absolute()
    url = f"file://localhost{root.resolve()}"
    in_place = next((one.rse for one in instance.sites if one.onsite and one.url_prefix == url), None)
    return IngestSettings(
        handover=root,
        vo=instance.vo,
        array_site=array_site,
        in_place_rse=in_place,
        remove_handed_over=remove_handed_over,
        dry_run=dry_run,
    )


def build_ingest_parts(folder: StateFolder) -> IngestPartsOfSystem:
    """Return what the ingest service of a system works with."""
    return {
        "principal": service_principal("ingest"),
        "connect": lambda: build_catalogue(folder, "ingest"),
        "storage": build_storage(),
        "inspectors": build_inspectors(),
        "policy": build_policy(folder),
        "settings": build_ingest_settings(folder),
    }
