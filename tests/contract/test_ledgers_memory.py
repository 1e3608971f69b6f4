"""Sites, transfer requests and reports of damage in memory keep their contracts."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from dpps.adapters.memory.damage_reports import MemoryDamageReports
from dpps.adapters.memory.requests import MemoryRequestLedger
from dpps.adapters.memory.sites import MemorySiteRegister
from dpps.data.retrieval.reports import DamagedCopy
from dpps.data.sites import Availability, SiteCondition, WaitingRule
from dpps.data.why.observations import RequestState, TransferRequest
from dpps.domain.names import Lfn
from dpps.testing.damage_reports_contract import DamageReportsContract
from dpps.testing.request_ledger_contract import RequestLedgerContract
from dpps.testing.site_register_contract import SiteRegisterContract


def _new_file() -> Lfn:
    return Lfn(f"/ctao/acada/DL0/{uuid.uuid4().hex}")


class _Sites:
    rse = "CTAO-SOUTH"
    other = "FRASCATI"

    def __init__(self, register: MemorySiteRegister) -> None:
        self._register = register

    def names(self) -> list[str]:
        return list(self._register._conditions)

    def availability(self, rse: str) -> Availability:
        return self._register._conditions[rse].availability

    def distance(self, source: str, destination: str) -> int | None:
        return self._register._distances.get((source, destination), 1)

    def wait_at(self, _rse: str) -> tuple[str, str]:
        waiting = WaitingRule(rule_id=uuid.uuid4().hex, dataset="/ctao/acada/DL0/day", state="REPLICATING")
        self._register._waiting.append(waiting)
        return waiting.rule_id, waiting.dataset

    def transfers(self, rule_id: str) -> set[str]:
        return {one.rule_id for one in self._register._waiting if one.rule_id == rule_id}

    def eventually(self, condition: Callable[[], bool]) -> None:
        assert condition()


class TestMemorySiteRegister(SiteRegisterContract):
    @pytest.fixture
    def register(self) -> MemorySiteRegister:
        return MemorySiteRegister(
            [
                SiteCondition(
                    rse=rse, onsite=onsite, url_prefix=f"memory://{rse}", availability=Availability(),
                    attributes={"ONSITE" if onsite else "OFFSITE": "True"}, copies_by_transfer=True,
                )
                for rse, onsite in (("FRASCATI", False), ("CTAO-SOUTH", True), ("PIC", False))
            ]
        )  # fmt: skip

    @pytest.fixture
    def raw(self, register: MemorySiteRegister) -> _Sites:
        return _Sites(register)


class _Requests:
    rse = "PIC"
    other = "CSCS"

    def __init__(self, ledger: MemoryRequestLedger) -> None:
        self._ledger = ledger

    def register(self) -> Lfn:
        return _new_file()

    def put(self, lfn: Lfn, rse: str, state: RequestState, *, past: bool, error: str = "") -> str:
        request = TransferRequest(
            state=state, rule_id=uuid.uuid4().hex, source=None, attempts=2, job_id=None, error=error,
            changed_at=datetime.now(UTC), past=past,
        )  # fmt: skip
        self._ledger.requests.append((lfn, rse, request))
        return request.rule_id


class TestMemoryRequestLedger(RequestLedgerContract):
    @pytest.fixture
    def ledger(self) -> MemoryRequestLedger:
        return MemoryRequestLedger()

    @pytest.fixture
    def raw(self, ledger: MemoryRequestLedger) -> _Requests:
        return _Requests(ledger)


class _Reports:
    def __init__(self, reports: MemoryDamageReports) -> None:
        self._reports = reports

    def register(self) -> DamagedCopy:
        lfn = _new_file()
        return DamagedCopy(lfn=lfn, rse="PIC", pfn=f"memory://PIC{lfn}", reason="3 bytes instead of 4")

    def reasons(self, copy: DamagedCopy) -> set[str]:
        return {f"{one.rse}: {one.reason}" for one in self._reports.copies if one.lfn == copy.lfn}


class TestMemoryDamageReports(DamageReportsContract):
    @pytest.fixture
    def reports(self) -> MemoryDamageReports:
        return MemoryDamageReports()

    @pytest.fixture
    def raw(self, reports: MemoryDamageReports) -> _Reports:
        return _Reports(reports)
