from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpps.data.policy import PreservationPolicy, ProductKind, load_policy, plan_rules
from dpps.data.policy.durations import format_duration, parse_duration
from dpps.data.policy.expressions import parse_expression
from dpps.data.policy.plan import distance_km, eligible_storages, largest_apart, site_of
from dpps.data.policy.reading import read_policy
from dpps.data.ports import StorageElement
from dpps.domain.errors import InvalidInput, Unavailable
from dpps.testing.storages import storage_element

HEAD = "version: 2\ntemporary: {lifetime: 1 day}\nkinds:\n"
ALL = ("CTAO-NORTH", "CTAO-SOUTH", "CSCS", "DESY-ZEUTHEN", "FRASCATI", "PIC")


def storages(*names: str) -> list[StorageElement]:
    return [storage_element(name, f"memory://{name}") for name in names or ALL]


def policy_of(kind: str) -> PreservationPolicy:
    return read_policy(f"{HEAD}- {{name: all, free_onsite: never, {kind}}}\n", "test")


def planned(kind: str, elements: list[StorageElement]) -> list[tuple[int, str, str | None]]:
    policy = policy_of(kind)
    rules = plan_rules(policy, policy.kinds[0], "/ctao/x/y", elements)
    return [(rule.copies, rule.expression, rule.source_expression) for rule in rules]


def test_packaged_policy_keeps_two_distant_copies_of_everything(tmp_path: Path) -> None:
    policy = load_policy(tmp_path / "absent.yaml")
    for level in ("DL0", "SIM", "DL1", "DL2"):
        kind = policy.kind_of({"data__level": level})
        assert kind.copies == 2
        assert kind.at == "OFFSITE=True"
        assert kind.distance_km == 300
        assert kind.free_onsite.when_verified
    assert policy.temporary_lifetime_seconds == 7 * 86400


def test_raw_data_use_the_onsite_link_once() -> None:
    policy = load_policy()
    rules = plan_rules(policy, policy.kind_of({"data__level": "DL0"}), "/ctao/x/y", storages())
    assert [(one.copies, one.expression, one.source_expression) for one in rules] == [
        (1, "OFFSITE=True", "ONSITE=True"),
        (2, "OFFSITE=True", "OFFSITE=True"),
    ]
    assert {(one.kind, one.policy_digest, one.priority) for one in rules} == {("raw", policy.digest, 4)}


def test_an_override_replaces_the_packaged_policy(tmp_path: Path) -> None:
    override = tmp_path / "policy.yaml"
    override.write_text(
        f"{HEAD}- {{name: raw, where: \"data__level = 'DL0'\", copies: 3, free_onsite: never}}\n"
        "- {name: rest, copies: 1, free_onsite: never, lifetime: 2 weeks}\n"
    )
    policy = load_policy(override)
    assert policy.kind_of({"data__level": "DL0"}).copies == 3
    assert policy.kind_of({}).lifetime == timedelta(days=14)


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("version: 2\nkinds: [", 2, "yaml"),
        ("", 1, "valid dictionary"),
        ("version: 3\nkinds: []\ntemporary: {lifetime: 1 day}", 1, "version"),
        (
            "# old\nversion: 1\ntemporary_lifetime_seconds: 1\nkinds: []",
            2,
            "offsite_copies as copies, free_onsite: true as when-verified",
        ),
        (f"{HEAD}- {{name: a, copies: 0, free_onsite: never}}", 4, "copies"),
        (f"{HEAD}- name: a\n  copies: 2\n  free_onsite: sometimes", 6, "when-verified after 2 days"),
        (
            f"{HEAD}- name: a\n  copies: 2\n  free_onsite: when-verified after noon",
            6,
            "'noon' is not a duration",
        ),
        (f"{HEAD}- name: a\n  copies: 1\n  free_onsite: when-verified", 4, "needs copies of at least 2"),
        (f"{HEAD}- name: a\n  where: obs_id 3\n  copies: 2\n  free_onsite: never", 5, "column 8"),
        (
            f"{HEAD}- name: a\n  where: obs_id = 3\n  copies: 2\n  free_onsite: never",
            3,
            "accept every product",
        ),
        (f"{HEAD}- name: a\n  at: OFFSITE=True|\n  copies: 2\n  free_onsite: never", 5, "not 'the end'"),
        (f"{HEAD}- name: a\n  copies: 2\n  free_onsite: never\n  lifetime: 0 days", 7, "must be above zero"),
        (f"{HEAD}- name: a\n  copies: 2\n  free_onsite: never\n  colour: red", 7, "colour"),
        (
            f"{HEAD}- {{name: a, where: obs_id = 3, copies: 2, free_onsite: never}}\n"
            "- {name: a, copies: 2, free_onsite: never}",
            3,
            "two kinds are named 'a'",
        ),
    ],
)
def test_a_wrong_policy_is_refused_with_its_path_and_line(
    tmp_path: Path, text: str, line: int, named: str
) -> None:
    override = tmp_path / "policy.yaml"
    override.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_policy(override)
    assert str(override) in caught.value.message
    assert f"line {line}: " in caught.value.message
    assert named in caught.value.message


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_policy(f"{HEAD}- name: a\n  copies: 0\n  priority: 9\n  free_onsite: never", "x")
    assert "line 5: kinds.0.copies" in caught.value.message
    assert "line 6: kinds.0.priority" in caught.value.message


def test_an_override_that_cannot_be_read_is_refused_not_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe")
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    for override in (folder, binary, loop):
        with pytest.raises(InvalidInput, match="cannot be read"):
            load_policy(override)
    assert load_policy(tmp_path / "none.yaml") == load_policy()


def test_comments_and_layout_do_not_change_the_digest() -> None:
    spread = f"# why\n{HEAD}- name: all\n  free_onsite: never  # ever\n  copies: 2\n"
    assert read_policy(spread, "x").digest == policy_of("copies: 2").digest
    assert policy_of("copies: 3").digest != policy_of("copies: 2").digest


def test_one_rule_where_one_is_enough() -> None:
    assert planned("copies: 1", storages()) == [(1, "OFFSITE=True", None)]
    assert planned("copies: 1, first_copy_from: onsite", storages()) == [(1, "OFFSITE=True", "ONSITE=True")]
    assert planned("copies: 3", storages()) == [(3, "OFFSITE=True", None)]


def test_a_distance_chooses_the_most_storages_so_far_apart() -> None:
    # From Frascati to CSCS it is 547 km; the others are more than 700 km apart.
    far = "copies: 2, distance_km: 600, further_copies_from: offsite"
    assert planned(far, storages()) == [
        (1, "CSCS|DESY-ZEUTHEN|PIC", None),
        (2, "CSCS|DESY-ZEUTHEN|PIC", "OFFSITE=True"),
    ]
    assert planned("copies: 2, distance_km: 300", storages()) == [(2, "OFFSITE=True", None)]


def test_two_storages_of_one_site_count_once() -> None:
    elements = [*storages("PIC", "CSCS"), storage_element("PIC-TAPE", "memory://tape", site="PIC")]
    assert planned("copies: 2", elements) == [(2, "CSCS|PIC", None)]
    with pytest.raises(Unavailable, match="need 3 copies at OFFSITE=True; the present storages can hold 2"):
        planned("copies: 3", elements)


def on_a_circle(degrees: Iterable[float]) -> list[StorageElement]:
    """Return storages on the equator, of which one degree is 111.2 km."""
    return [
        StorageElement(
            rse=f"S{number:02d}",
            onsite=False,
            url_prefix=f"memory://S{number:02d}",
            attributes={"OFFSITE": "True", "latitude": "0", "longitude": str(longitude)},
        )
        for number, longitude in enumerate(degrees)
    ]


def chosen_numbers(degrees: Sequence[float], distance: float) -> list[int]:
    kind = ProductKind.model_validate(
        {"name": "a", "copies": 1, "free_onsite": "never", "distance_km": distance}
    )
    return [int(one.rse[1:]) for one in eligible_storages(kind, on_a_circle(degrees))]


@pytest.mark.parametrize(
    ("degrees", "number"),
    [
        ([pair * 9 + side for pair in range(20) for side in (0, 1)], 20),
        ([9.0 * number for number in range(40)], 20),
        ([18 * (number % 20) + number / 100 for number in range(40)], 20),
        ([30 * cluster + place for cluster in range(10) for place in range(4)], 10),
    ],
    ids=["pairs", "ring", "pairs by name apart", "clusters"],
)
def test_forty_sites_are_chosen_from_as_well(degrees: Sequence[float], number: int) -> None:
    distance = 1100.0 if degrees[1] == 9.0 else 500.0
    chosen = chosen_numbers(degrees, distance)
    assert len(chosen) == number
    assert chosen == chosen_numbers(degrees, distance)


@given(
    degrees=st.lists(st.integers(0, 359), min_size=1, max_size=9, unique=True),
    distance=st.sampled_from([500.0, 3000.0, 8000.0]),
)
def test_no_larger_set_of_sites_exists_and_none_before_it(degrees: list[int], distance: float) -> None:
    elements = on_a_circle(degrees)

    def are_apart(numbers: tuple[int, ...]) -> bool:
        pairs = combinations((elements[number] for number in numbers), 2)
        return all((distance_km(*pair) or 0) >= distance for pair in pairs)

    sizes = range(len(elements), 0, -1)
    sets = (found for size in sizes for found in combinations(range(len(elements)), size))
    assert tuple(chosen_numbers(degrees, distance)) == next(filter(are_apart, sets))


def test_sites_in_a_tangle_are_chosen_from_within_bounds() -> None:
    drawn = random.Random(4)  # noqa: S311 - not for secrets
    names = [f"S{number:03d}" for number in range(120)]
    near: dict[str, set[str]] = {name: set() for name in names}
    for one, other in combinations(names, 2):
        if drawn.random() < 0.1:
            near[one].add(other)
            near[other].add(one)
    chosen = largest_apart(near)
    assert len(chosen) > 20
    assert all(near[name].isdisjoint(chosen) for name in chosen)
    assert all(name in chosen or near[name].intersection(chosen) for name in names)


def test_a_distance_that_no_storages_have_is_told_not_weakened() -> None:
    with pytest.raises(Unavailable, match="at least 5000 km apart; the present storages can hold 1"):
        planned("copies: 2, distance_km: 5000", storages())


def test_a_storage_without_position_has_no_distance() -> None:
    nowhere = StorageElement(
        rse="X", onsite=False, url_prefix="memory://X", attributes={"OFFSITE": "True", "latitude": "north"}
    )
    assert distance_km(nowhere, storages("PIC")[0]) is None
    assert planned("copies: 1, distance_km: 1", [nowhere, *storages("PIC", "CSCS")]) == [
        (1, "CSCS|PIC", None)
    ]


@given(
    places=st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=1, max_size=9),
    apart_km=st.floats(1, 20000),
)
def test_eligible_storages_are_apart_and_none_could_be_added(
    places: list[tuple[float, float]], apart_km: float
) -> None:
    elements = [
        StorageElement(
            rse=f"R{number}",
            onsite=False,
            url_prefix="memory://",
            attributes={"OFFSITE": "True", "latitude": str(latitude), "longitude": str(longitude)},
        )
        for number, (latitude, longitude) in enumerate(places)
    ]
    kind = policy_of(f"copies: 1, distance_km: {apart_km!r}").kinds[0]
    chosen = eligible_storages(kind, elements)

    def far(one: StorageElement, other: StorageElement) -> bool:
        found = distance_km(one, other)
        return found is not None and found >= apart_km and site_of(one) != site_of(other)

    assert all(far(one, other) for one, other in combinations(chosen, 2))
    for size in range(len(chosen) + 1, len(elements) + 1):
        assert not any(
            all(far(*pair) for pair in combinations(more, 2)) for more in combinations(elements, size)
        )
    assert eligible_storages(kind, elements[::-1]) == chosen


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("*", list(ALL)),
        ("PIC", ["PIC"]),
        ("rse=PIC", ["PIC"]),
        ("OFFSITE=True", ["CSCS", "DESY-ZEUTHEN", "FRASCATI", "PIC"]),
        ("OFFSITE=True&country=ES", ["PIC"]),
        ("country=ES\\OFFSITE=True", ["CTAO-NORTH"]),
        ("CSCS|PIC\\CSCS", ["PIC"]),
        ("CSCS|(PIC\\PIC)", ["CSCS"]),
        ("latitude>45&OFFSITE=True", ["CSCS", "DESY-ZEUTHEN"]),
        ("latitude<0", ["CTAO-SOUTH"]),
        ("colour<3", []),
    ],
)
def test_expressions_mean_what_rucio_means(expression: str, names: list[str]) -> None:
    test = parse_expression(expression)
    assert [element.rse for element in storages() if test(element)] == names


@pytest.mark.parametrize("expression", ["", "A B", "(A", "A)", "|A", "A&", "A==B", "A;B"])
def test_malformed_expressions_are_refused(expression: str) -> None:
    with pytest.raises(InvalidInput, match="is not understood"):
        parse_expression(expression)


@given(st.integers(1, 10**9))
def test_durations_survive_being_written(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    if len(format_duration(duration).split()[0]) <= 6:
        assert parse_duration(format_duration(duration)) == duration


@given(st.text(max_size=12))
def test_no_text_breaks_durations_or_expressions(text: str) -> None:
    for parse in (parse_duration, parse_expression):
        with contextlib.suppress(InvalidInput):
            parse(text)
