"""A dead storage costs some questions a look, not one a file."""

from __future__ import annotations

from functools import partial

import pytest

from dpps.adapters.memory.preservation import MemoryEvidence
from dpps.adapters.memory.storage import MemoryStorage
from dpps.data.audit.reading import Reader
from dpps.data.audit.records import CopyOutcome
from dpps.data.audit.silence import SilentStorages
from dpps.domain.errors import NotFound, Unavailable
from dpps.domain.files import ArchivedFile, FileContent, Replica, ReplicaState
from dpps.domain.names import Lfn


def _fail(error: Exception) -> None:
    raise error


def _file(number: int) -> tuple[ArchivedFile, Replica]:
    lfn = Lfn(f"/ctao/acada/DL0/{number}")
    replica = Replica(rse="PIC", pfn=f"memory://PIC{lfn}", state=ReplicaState.AVAILABLE, onsite=False)
    content = FileContent(size_bytes=3, adler32="024d0127")
    return ArchivedFile(lfn=lfn, content=content, replicas=(replica,)), replica


def test_any_answer_ends_the_count_of_failures() -> None:
    silent, gone = SilentStorages(), Unavailable("it does not answer")
    for error in (gone, gone, NotFound("nothing is there"), gone, gone):
        with pytest.raises(type(error)):
            silent.ask("PIC", partial(_fail, error))
    assert silent.ask("PIC", lambda: 3) == 3
    for _ in range(3):
        with pytest.raises(Unavailable, match="it does not answer"):
            silent.ask("PIC", partial(_fail, gone))
    with pytest.raises(Unavailable, match="PIC did not answer 3 times"):
        silent.ask("PIC", lambda: 3)
    assert silent.ask("CSCS", lambda: 3) == 3


def test_a_copy_that_was_not_asked_for_leaves_no_evidence() -> None:
    storage, evidence = MemoryStorage(), MemoryEvidence()
    storage.unreachable.add("memory://PIC")
    reader = Reader(storage=storage, evidence=evidence).for_one_look()
    files = [_file(number) for number in range(5)]
    outcomes = [reader.read(file, replica, {}).outcome for file, replica in files]
    assert outcomes == [CopyOutcome.UNREADABLE] * 5
    assert "did not answer 3 times" in reader.absence(*files[4])
    assert {key.lfn for key in evidence.known([file.lfn for file, _ in files])} == {
        file.lfn for file, _ in files[:3]
    }
    storage.unreachable.clear()
    for file, replica in files:
        storage.files[replica.pfn] = b"abc"
        assert reader.for_one_look().read(file, replica, {}).outcome is CopyOutcome.INTACT
