"""What every implementation of the ``CopyStates`` port must do.

Subclass `CopyStatesContract`; give the fixtures ``copy_states`` and those of `CatalogueContract`.
"""
# ruff: noqa: D102 - the names of the tests say it

from __future__ import annotations

from dpps.data.ports import Catalogue
from dpps.data.why.observations import CopyStates
from dpps.domain.files import ReplicaState
from dpps.domain.names import Lfn
from dpps.testing.catalogue_contract import CatalogueContract, RawCatalogue

__all__ = ["CopyStatesContract"]


class CopyStatesContract:
    """The suite. ``folder`` is a path ``/<vo>/<scope>/<unique>`` in which nothing else is."""

    def test_every_copy_of_every_known_file_has_its_state(
        self, catalogue: Catalogue, copy_states: CopyStates, raw: RawCatalogue, folder: str
    ) -> None:
        names = ("a/1.dat", "a/2.dat")
        files = [CatalogueContract.file(folder, name, rse=raw.onsite_rse) for name in names]
        assert [one.error for one in catalogue.register(files)] == [None, None]
        first, second = (one.lfn for one in files)
        raw.add_copy(second, raw.offsite_rse)
        unknown = Lfn(f"{folder}/a/unknown.dat")
        assert copy_states.copy_states([second, unknown, first]) == {
            first: {raw.onsite_rse: ReplicaState.AVAILABLE},
            second: {raw.onsite_rse: ReplicaState.AVAILABLE, raw.offsite_rse: ReplicaState.AVAILABLE},
        }

    def test_nothing_is_asked_for_nothing(self, copy_states: CopyStates) -> None:
        assert copy_states.copy_states([]) == {}
