"""What every crew that reads files must do."""

from __future__ import annotations

import os
import time

import pytest

from dpps.data.ingest.crew import Crew, Interrupted

__all__ = ["CrewContract", "DeadlyCrewContract", "do_as_told"]


def do_as_told(order: str | int) -> int:
    """Square a number; ``wrong`` raises, ``die`` ends the process, ``sleep`` takes long."""
    if order == "wrong":
        raise ValueError("this order is wrong")
    if order == "late":
        raise TimeoutError("an error of the task, not of waiting")
    if order == "die":
        os._exit(9)
    if order == "sleep":
        time.sleep(3600)
    return int(order) ** 2


def _never() -> bool:
    return False


class CrewContract:
    """A subclass gives the fixture ``crew``."""

    def test_every_item_is_answered_for_in_order(self, crew: Crew) -> None:
        """As many answers as items."""
        assert crew.start(do_as_told, range(20)).results(_never) == [n**2 for n in range(20)]
        assert crew.start(do_as_told, []).results(_never) == []

    def test_an_error_is_the_answer_for_its_item_alone(self, crew: Crew) -> None:
        """Whatever the task raises is an answer."""
        orders: list[str | int] = [2, "wrong", "late", 3]
        first, wrong, late, last = crew.start(do_as_told, orders).results(_never)
        assert (first, last) == (4, 9)
        assert isinstance(wrong, ValueError)
        assert isinstance(late, TimeoutError)

    def test_several_works_are_under_way_at_once(self, crew: Crew) -> None:
        """Works do not wait for each other."""
        works = [crew.start(do_as_told, [number]) for number in range(3)]
        assert [work.results(_never) for work in reversed(works)] == [[4], [1], [0]]

    def test_whoever_waits_can_be_stopped(self, crew: Crew) -> None:
        """Waiting is no dead end."""
        with pytest.raises(Interrupted):
            crew.start(do_as_told, [1, 2]).results(lambda: True)


class DeadlyCrewContract(CrewContract):
    """A crew of other processes, which the caller outlives."""

    def test_an_item_that_kills_its_worker_is_named_and_the_others_are_done(self, crew: Crew) -> None:
        """A death costs its item, nothing else."""
        orders: list[str | int] = [1, "die", 2, "die", *range(3, 30)]
        results = crew.start(do_as_told, orders).results(_never)
        assert [one for one in results if isinstance(one, int)] == [number**2 for number in range(1, 30)]
        assert [str(one) for one in results if isinstance(one, Exception)] == [
            "the worker process died of it, twice"
        ] * 2

    def test_stopping_does_not_wait_for_the_workers(self, crew: Crew) -> None:
        """An item that takes for ever holds nobody up."""
        answers = iter([False, False])
        with pytest.raises(Interrupted):
            crew.start(do_as_told, ["sleep"]).results(lambda: next(answers, True))
