"""States of many files' copies in Rucio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Any, Final

from dpps.adapters.rucio.errors import catalogue_errors
from dpps.adapters.rucio.reading import REPLICA_STATES
from dpps.domain.files import ReplicaState
from dpps.domain.names import Lfn

__all__ = ["RucioCopyStates"]

_CHUNK: Final = 1000


class RucioCopyStates:
    """Implements ``CopyStates``.

    Parameters
    ----------
    client : rucio.client.Client
        Connected as an account that may read.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def copy_states(self, lfns: Sequence[Lfn]) -> Mapping[Lfn, Mapping[str, ReplicaState]]:
        """Return, by file and RSE, the state of each copy; unknown files are left out."""
        found: dict[Lfn, Mapping[str, ReplicaState]] = {}
        for chunk in batched(lfns, _CHUNK):
            dids = [{"scope": lfn.scope, "name": lfn.name} for lfn in chunk]
            with catalogue_errors(f"list the copies of {len(chunk)} files"):
                for one in self._client.list_replicas(
                    dids, all_states=True, resolve_archives=False, sort="random"
                ):
                    states = one.get("states", {})
                    found[Lfn(one["name"])] = {
                        rse: REPLICA_STATES.get(state, ReplicaState.UNAVAILABLE)
                        for rse, state in states.items()
                    }
        return found
