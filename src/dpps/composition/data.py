"""The archive of one system: catalogue, storage and inspectors, chosen by its description."""

from __future__ import annotations

from dpps.composition.rucio_accounts import connect_account
from dpps.composition.state import StateFolder
from dpps.data.policy import PreservationPolicy, load_policy
from dpps.data.ports import Catalogue, FileInspector

__all__ = [
    "build_catalogue",
    "build_inspectors",
    "build_policy",
]


def build_catalogue(folder: StateFolder, account: str) -> Catalogue:
    """Return the catalogue of a running system, as one of its accounts.

    Parameters
    ----------
    folder : StateFolder
        The system.
    account : str
        One of the accounts of `connect_account`.
    """
    from dpps.adapters.rucio.catalogue import RucioCatalogue

    return RucioCatalogue(connect_account(folder, account))


def build_inspectors() -> list[FileInspector]:
    """Return an inspector for each kind of file that the archive takes."""
    from dpps.adapters.eventio.simtel import SimtelInspector
    from dpps.adapters.zfits.inspector import ZfitsInspector

    return [ZfitsInspector(), SimtelInspector()]


def build_policy(folder: StateFolder) -> PreservationPolicy:
    """Return the preservation policy: ``config/policy.yaml`` where it exists, else the packaged one."""
    return load_policy(folder.config / "policy.yaml")
