"""Good time intervals: pure functions."""

from itertools import pairwise

import numpy as np
import pytest
from dpps_datapipe.dl3.intervals import contained, live_fraction, subtract, total_seconds


def test_holes_may_overlap_touch_and_reach_beyond() -> None:
    assert subtract((0.0, 10.0), []) == ((0.0, 10.0),)
    assert subtract((0.0, 10.0), [(-5.0, 1.0), (3.0, 4.0), (3.5, 5.0), (9.0, 20.0)]) == (
        (1.0, 3.0),
        (5.0, 9.0),
    )
    assert subtract((0.0, 10.0), [(0.0, 4.0), (4.0, 10.0)]) == ()
    assert subtract((0.0, 10.0), [(11.0, 12.0)]) == ((0.0, 10.0),)


@pytest.mark.parametrize("seed", range(20))
def test_good_and_bad_time_add_up(seed: int) -> None:
    random = np.random.default_rng(seed)
    edges = np.sort(random.uniform(-10.0, 110.0, (8, 2)), axis=1)
    holes = [(float(low), float(high)) for low, high in edges]
    good = subtract((0.0, 100.0), holes)
    times = random.uniform(0.0, 100.0, 2000)
    bad = np.any([(times >= low) & (times < high) for low, high in holes], axis=0)
    assert (contained(times, good) == ~bad).all()
    assert all(first[1] < second[0] for first, second in pairwise(good))
    assert 0.0 <= total_seconds(good) <= 100.0


def test_dead_time_after_each_event() -> None:
    assert live_fraction(100_000, 100.0, 1e-4) == pytest.approx(0.9)
    assert live_fraction(100_000, 100.0, 1.0) == 0.0
    assert live_fraction(0, 0.0, 1e-4) == 0.0
