"""Run in the rucio environment: drives the stock FTS3 transfer tool and prints what it understood.

The transfers are the plain objects that the tool reads; nothing of the tool itself is replaced.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

from rucio.transfertool.fts3 import FTS3Transfertool, build_job_params


class _Rse(SimpleNamespace):
    def is_tape(self) -> bool:
        return False

    def is_tape_or_staging_required(self) -> bool:
        return False


class _Transfer(SimpleNamespace):
    def source_url(self, source: Any) -> str:
        return str(source.url)


def _transfer(wanted: dict[str, Any]) -> _Transfer:
    source = SimpleNamespace(rse=_Rse(name="ONE", id="1" * 32, attributes={}), url=wanted["source"])
    destination = SimpleNamespace(rse=_Rse(name="TWO", id="2" * 32, attributes={}))
    request = SimpleNamespace(
        request_id=wanted["request_id"],
        scope="dpps",
        name="/ctao/dpps/a.dat",
        activity="default",
        request_type="T",
        byte_count=wanted["bytes"],
        md5=None,
        adler32=wanted["adler32"],
        account="root",
        attributes={},
        priority=3,
        rule_id="r" * 32,
    )
    return _Transfer(
        rws=request, src=source, sources=[source], dst=destination, dest_url=wanted["destination"]
    )


def _statuses(tool: FTS3Transfertool, job_id: str, request_ids: list[str]) -> dict[str, Any]:
    requests: dict[str, dict[str, Any]] = {
        request_id: {"request_id": request_id, "external_id": job_id, "state": None, "attributes": {}}
        for request_id in request_ids
    }
    reports = tool.bulk_query({job_id: requests})[job_id]
    if reports is None:
        return {"lost": True}
    answer = {}
    for request_id, report in reports.items():
        report.initialize(session=None)
        state = report.state.name if report.state else None
        answer[request_id] = {
            "state": state,
            "started": str(report.started_at),
            "transferred": str(report.transferred_at),
            "error": report.err_msg,
            "source": report.file_response["source_surl"],
        }
    return answer


def main() -> None:
    """Read one command a line from standard input, answer each with one line."""
    tool = FTS3Transfertool(sys.argv[1])
    tool.deterministic_id = True
    for line in sys.stdin:
        command = json.loads(line)
        name = command["do"]
        if name == "submit":
            transfers = [_transfer(wanted) for wanted in command["files"]]
            answer: Any = tool.submit(transfers, build_job_params([transfers[0]]))
        elif name == "status":
            answer = _statuses(tool, command["job"], command["requests"])
        elif name == "cancel":
            answer = tool.cancel([command["job"]])
        elif name == "prioritise":
            answer = tool.update_priority(command["job"], command["priority"])
        elif name == "query":
            answer = tool.query([command["job"]], details=command["details"])
        else:
            answer = {"whoami": tool.whoami(), "version": tool.version()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
