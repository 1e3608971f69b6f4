"""When a loop of a service is in trouble, and when it only works."""

from __future__ import annotations

from dpps.domain.errors import Unavailable
from dpps.services.loop import Loop, Pace


class NoMetrics:
    def note_interruption(self, code: str) -> None: ...


def test_a_long_first_round_is_no_trouble() -> None:
    seen: list[str | None] = []

    def work(_connection: object) -> bool:
        seen.append(loop.trouble)
        return True

    loop: Loop[object] = Loop(object, work, Pace(1.0, 5.0), NoMetrics())
    assert loop.trouble == "not connected yet"
    loop.round()
    assert seen == [None], "who supervises would kill the service in the middle of its first round"


def test_an_outage_is_trouble_until_a_round_is_over() -> None:
    outcomes: list[Exception | None] = [Unavailable("down"), None]
    seen: list[str | None] = []

    def work(_connection: object) -> bool:
        seen.append(loop.trouble)
        if (failure := outcomes.pop(0)) is not None:
            raise failure
        return False

    loop: Loop[object] = Loop(object, work, Pace(1.0, 5.0), NoMetrics())
    loop.round()
    troubles = [loop.trouble]
    loop.round()
    troubles.append(loop.trouble)
    assert (seen, troubles) == ([None, "down"], ["down", None])
