"""The table of services: complete, startable, and the same as in the operator's reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpps.composition.instance import Endpoint, Instance
from dpps.composition.state import StateFolder
from dpps.ops import table
from dpps.ops.programs import PostgresPrograms
from dpps.ops.service import Service, ServiceState, start_order

REFERENCE = Path(__file__).parents[3] / "docs" / "operator" / "reference" / "services.md"


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Service, ...]:
    monkeypatch.setattr(table, "environment_python", lambda name: Path(f"/envs/{name}/bin/python"))
    monkeypatch.setattr(table, "memcached", lambda: Path("/usr/bin/memcached"))
    monkeypatch.setattr(
        table, "postgres_programs", lambda _data: PostgresPrograms(folder=Path("/usr/bin"), major=18)
    )
    endpoints = {name: Endpoint(port=20_000 + number) for number, name in enumerate(table.ENDPOINT_NAMES)}
    return table.services(StateFolder(tmp_path), Instance(endpoints=endpoints))


def test_the_reference_lists_every_service_as_it_is(services: tuple[Service, ...]) -> None:
    text = REFERENCE.read_text()
    for service in services:
        needs = ", ".join(f"`{name}`" for name in service.depends_on)
        assert f"| `{service.name}` | {service.purpose} | {needs} |".replace("|  |", "| |") in text


def test_the_databases_start_first(services: tuple[Service, ...]) -> None:
    assert start_order(services)[0] == ["cache", "postgres"]


def test_the_catalogue_runs_in_its_own_environment(services: tuple[Service, ...]) -> None:
    commands = {service.name: service.command[0] for service in services}
    assert commands["rucio-server"] == commands["rucio-daemons"] == "/envs/rucio/bin/python"
    assert commands["ingest"] != commands["rucio-server"]


def test_a_machine_without_memcached_says_so(
    services: tuple[Service, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "memcached", lambda: None)
    endpoints = {service.name: service.endpoint for service in services if service.endpoint}
    row = next(
        row
        for row in table.services(StateFolder(tmp_path), Instance(endpoints=endpoints))
        if row.name == "cache"
    )
    assert row.initial is ServiceState.ABSENT
    assert "apt-get install memcached" in row.reason
    assert not row.runs_here


def test_a_database_run_by_others_is_not_started(services: tuple[Service, ...], tmp_path: Path) -> None:
    endpoints = {service.name: service.endpoint for service in services if service.endpoint}
    instance = Instance(endpoints=endpoints, database_url="postgresql+psycopg://u@h/")
    row = table.services(StateFolder(tmp_path), instance)[0]
    assert row.name == "postgres"
    assert row.initial is ServiceState.EXTERNAL
    assert not row.runs_here
