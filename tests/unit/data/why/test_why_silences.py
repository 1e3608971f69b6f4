"""A service that does not answer is named; nothing is said that only it could know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dpps.adapters.memory.catalogue import MemoryCatalogue
from dpps.adapters.memory.sites import MemoryHoldStore
from dpps.data.sites import SiteCondition
from dpps.data.why.explaining import explain_file
from dpps.data.why.findings import Explanation, Weight
from dpps.data.why.looking import AskedService
from dpps.data.why.observations import Refusal, RequestState, Silence
from dpps.data.why.observing import WhyParts, why, why_site
from dpps.domain.errors import NotFound, Unavailable
from dpps.domain.principals import Principal, Role
from tests.unit.data.why.test_why_explaining import MISSING, NOW, WAITING, condition, seen

READER = Principal(name="bob", roles=frozenset(Role))
TRANSFERS_SILENT = (Silence(service="transfers", reason="no answer"),)


class Away:
    """A service that does not answer."""

    folder = "/handover"

    def __init__(self) -> None:
        self.asked = 0

    def __getattr__(self, _question: str) -> Any:
        def silence(*_arguments: object, **_options: object) -> Any:
            self.asked += 1
            raise Unavailable("nobody answers")

        return silence


class Register:
    """Knows one site for which nothing waits."""

    def conditions(self, rses: Sequence[str]) -> list[SiteCondition]:
        return [condition(rse) for rse in rses]

    def waiting_rules(self, _rse: str) -> list[object]:
        return []


def parts(transfers: object, handover: object) -> WhyParts:
    nobody = cast("Any", None)
    sites = SimpleNamespace(register=Register(), holds=MemoryHoldStore(), transfers=transfers)
    return WhyParts(
        catalogue=MemoryCatalogue([]), copies=nobody, requests=nobody, sites=cast("Any", sites),
        handover=cast("Any", handover), policy=nobody, evidence=nobody, findings=nobody, gate=nobody,
        clock=lambda: datetime(2026, 2, 14, 22, tzinfo=UTC),
    )  # fmt: skip


def facts(explanation: Explanation) -> dict[str, str]:
    return {one.code: f"{one.fact} {one.cause} {one.next}" for one in explanation.findings}


def test_without_the_ingest_service_nothing_is_said_of_the_hand_over_folder() -> None:
    explained = why(READER, parts(None, Away()), "/ctao/acada/DL0/x")
    told = facts(explained)
    assert told.keys() == {"file-unknown", "ingest-silent"}
    assert "either" not in told["file-unknown"]
    assert "what waits in the hand-over folder is not known" in told["ingest-silent"]
    assert explained.unanswered == ("ingest",)


def test_without_the_transfer_service_no_traffic_is_told_and_it_is_asked_once() -> None:
    away = Away()
    explained = why_site(READER, parts(away, None), "PIC")
    assert facts(explained).keys() == {"site-open", "transfers-silent"}
    assert (explained.verdict, explained.unanswered) == (Weight.BLOCKS, ("transfers",))
    assert away.asked == 1


def test_a_stock_transfer_service_tells_no_traffic_and_is_not_called_silent() -> None:
    def unknown(*_arguments: object, **_options: object) -> Any:
        raise NotFound("no such question")

    stock = SimpleNamespace(
        own_links=unknown, own_attempts=unknown, own_rests=list, bans=list, storage_limits=dict
    )
    explained = why_site(READER, parts(stock, None), "PIC")
    assert facts(explained).keys() == {"site-open", "traffic-untold"}
    assert explained.unanswered == ()


def test_a_job_of_a_silent_transfer_service_is_not_called_unknown_to_it() -> None:
    given = replace(MISSING, request=replace(WAITING, state=RequestState.SUBMITTED, job_id="J"))
    told = facts(explain_file(replace(seen(given), silences=TRANSFERS_SILENT), NOW))
    assert {"transfers-silent", "transfer-unknown"} <= told.keys()
    assert "job-unknown" not in told
    assert "which does not answer" in told["transfer-unknown"]


def test_a_request_that_waits_for_a_silent_transfer_service_has_its_cause() -> None:
    explained = explain_file(replace(seen(), silences=TRANSFERS_SILENT), NOW + timedelta(hours=1))
    told = facts(explained)
    assert {"transfers-silent", "request-waiting"} <= told.keys()
    assert "no cause is in sight" not in str(told)
    assert explained.verdict is Weight.BLOCKS


def test_other_errors_of_a_service_are_errors() -> None:
    def refuse() -> list[Refusal]:
        raise KeyError("not ours")

    with pytest.raises(KeyError):
        AskedService("ingest").ask(refuse)
