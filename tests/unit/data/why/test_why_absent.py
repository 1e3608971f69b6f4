"""What was handed over and not taken is told for the names that it is for, and for no others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.preservation import MemoryEvidence, MemoryFindings
from dpps.data.policy import load_policy
from dpps.data.ports import Registration
from dpps.data.why.findings import Explanation, Weight
from dpps.data.why.observations import Refusal
from dpps.data.why.observing import WhyParts, why
from dpps.domain.files import FileContent
from dpps.domain.names import Lfn
from dpps.domain.principals import Principal, Role
from dpps.testing.storages import storage_element

RAW = "/ctao/acada/DL0/LSTN-01/x.fits.fz"
SIMULATED = "/ctao/dpps/SIM/sim.simtel"
READER = Principal(name="bob", roles=frozenset({Role.READER}))


class NothingRefused:
    """An ingest service that took everything."""

    folder = "/handover"

    def refusals(self) -> Sequence[Refusal]:
        """Return nothing."""
        return ()


class Refused(NothingRefused):
    """An ingest service that did not take some files.

    Parameters
    ----------
    handed : str
        Path of each below the hand-over folder.
    lfn : str
        Name that they would have got, where it is known.
    """

    def __init__(self, *handed: str, lfn: str = "") -> None:
        self._refusals = [
            Refusal(
                path=f"{self.folder}/{one}", handed=one, code="file-damaged", message="it is truncated",
                next_step="hand it over again", retryable=False, lfn=lfn,
            )
            for one in handed
        ]  # fmt: skip

    def refusals(self) -> Sequence[Refusal]:
        """Return them."""
        return self._refusals


def explained(name: str, handover: NothingRefused, catalogue: MemoryCatalogue | None = None) -> Explanation:
    nobody = cast("Any", None)  # nothing else is asked about a file that is not there
    parts = WhyParts(
        catalogue=catalogue or MemoryCatalogue([]),
        copies=nobody,
        requests=nobody,
        sites=nobody,
        handover=handover,
        policy=load_policy(),
        evidence=MemoryEvidence(),
        findings=MemoryFindings(),
        gate=nobody,
        clock=lambda: datetime(2026, 2, 14, 22, tzinfo=UTC),
    )
    return why(READER, parts, name)


@pytest.mark.parametrize("name", ["/ctao/nope/x", "/ctao/acada/DL0/x"])
def test_an_unknown_name_is_said_to_be_unknown(name: str) -> None:
    found = explained(name, NothingRefused())
    assert [one.code for one in found.findings] == ["file-unknown"]
    assert not found.known


def test_the_folder_that_was_asked_is_named_and_how_to_ask_others() -> None:
    (finding,) = explained(RAW, NothingRefused()).findings
    assert "nothing of this name waits in /handover either" in finding.next
    assert "dpps ingest quarantine list FOLDER" in finding.next


def test_a_refused_raw_file_is_told_for_its_own_name() -> None:
    (finding,) = explained(RAW, Refused(RAW.removeprefix("/"))).findings
    assert finding.code == "handover-refused"
    assert f"handed over as /handover{RAW} and not taken" in finding.fact


@pytest.mark.parametrize(
    "handed", ["ctao/acada/DL0/LSTN-09/x.fits.fz", f"elsewhere{RAW}", f"x.fits.fz{RAW}", "x.fits.fz"]
)
def test_the_refusal_of_another_file_is_not_told(handed: str) -> None:
    assert [one.code for one in explained(RAW, Refused(handed)).findings] == ["file-unknown"]


def test_a_refused_simulation_file_is_found_by_the_name_that_it_would_have_got_or_its_own() -> None:
    (own,) = explained(SIMULATED, Refused("today/run10.simtel", lfn=SIMULATED)).findings
    assert "handed over as /handover/today/run10.simtel" in own.fact
    (like,) = explained(SIMULATED, Refused("today/sim.simtel")).findings
    assert "a file of this name was handed over and not taken: /handover/today/sim.simtel" in like.fact
    (other,) = explained(SIMULATED, Refused("today/sim.simtel", lfn="/ctao/dpps/SIM/other")).findings
    assert other.code == "file-unknown"


def test_what_was_handed_over_again_for_a_known_file_is_told() -> None:
    catalogue = MemoryCatalogue([storage_element("PIC", "memory://PIC")])
    lfn = Lfn(SIMULATED)
    catalogue.register(
        [Registration(lfn=lfn, content=FileContent(size_bytes=1, adler32="00000001"), rse="PIC",
                      dataset=lfn.parent, metadata={"data__level": "SIM"})]
    )  # fmt: skip
    found = {
        one.code: one for one in explained(SIMULATED, Refused("b.simtel", lfn=SIMULATED), catalogue).findings
    }
    assert found["copies-there"].fact == "good copies at: PIC"
    assert "/handover/b.simtel was handed over for this name, too" in found["handover-refused"].fact
    assert found["handover-refused"].weight is Weight.BLOCKS
    again = explained(SIMULATED, Refused("sim.simtel"), catalogue)
    assert "handover-refused" not in {one.code for one in again.findings}
