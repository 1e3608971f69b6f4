"""The archive of one system: catalogue, storage and inspectors, chosen by its description."""

from __future__ import annotations

from dpps.composition.instance import Instance
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


def build_inspectors() -> list[FileInspector]:
    """Return an inspector for each kind of file that the archive takes."""
    from dpps.adapters.eventio.simtel import SimtelInspector
    from dpps.adapters.zfits.inspector import ZfitsInspector

    return [ZfitsInspector(), SimtelInspector()]


def build_policy(folder: StateFolder) -> PreservationPolicy:
    """Return the preservation policy: ``config/policy.yaml`` where it exists, else the packaged one."""
    return load_policy(folder.config / "policy.yaml")
