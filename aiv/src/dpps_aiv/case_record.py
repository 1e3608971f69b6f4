"""The fixture `testcase`: what a test did, in words, for the report."""

import json


class CaseRecord:
    """Steps and conditions of one test, in the order in which they were reached.

    The record is written through at every call: a test that fails or is killed
    in the middle keeps the steps that it reached.

    Parameters
    ----------
    properties
        The test's own properties, which the reports copy.
    """

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties
        self._entries: list[dict[str, str]] = []

    def step(self, text: str) -> None:
        """Say what the test does next."""
        self._add("step", text)

    def condition(self, text: str) -> None:
        """Say what holds at this point: before the first step, or after one."""
        self._add("condition", text)

    def _add(self, kind: str, text: str) -> None:
        self._entries.append({"kind": kind, "text": text})
        self._properties[:] = [entry for entry in self._properties if entry[0] != "steps"]
        self._properties.append(("steps", json.dumps(self._entries, ensure_ascii=False)))
