"""The catalogue as the bootstrap leaves it, seen by a stock client and by the database."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import permutations
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from dpps.composition.rucio_accounts import connect_account
from dpps.domain.sites import DEFAULT_SITES
from dpps.ops.programs import environment_python
from dpps.services.rucio_bootstrap import ACCOUNTS

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio


@pytest.fixture(scope="module")
def client(running_system: RunningSystem) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUCIO_CONFIG", str(running_system.folder.rucio_client_config))
        from rucio.client import Client

        password = running_system.folder.secret("rucio-ingest")
        return Client(
            account="ingest", auth_type="userpass", creds={"username": "ingest", "password": password}
        )


@pytest.fixture
def database(running_system: RunningSystem) -> Iterator[psycopg.Connection]:
    url = running_system.instance.database(running_system.folder, "rucio").replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        yield connection


def test_the_six_sites_are_there(client: Any) -> None:
    assert {rse["rse"] for rse in client.list_rses()} == {site.name for site in DEFAULT_SITES}
    assert {rse["rse"] for rse in client.list_rses("OFFSITE=True")} == {
        site.name for site in DEFAULT_SITES if not site.onsite
    }
    assert {rse["rse"] for rse in client.list_rses("ONSITE=True")} == {"CTAO-NORTH", "CTAO-SOUTH"}


def test_every_site_can_reach_every_other(client: Any) -> None:
    for source, destination in permutations([site.name for site in DEFAULT_SITES], 2):
        (answer,) = client.get_distance(source, destination)
        assert answer["distance"] > 0


def test_accounts_that_make_rules_may_fill_every_storage(client: Any) -> None:
    for account in ("ingest", "production", "preservation"):
        limits = client.get_local_account_limits(account)
        assert limits == {site.name: float("inf") for site in DEFAULT_SITES}


def test_only_our_own_identities_are_known(database: psycopg.Connection) -> None:
    found = database.execute("SELECT identity, identity_type::text FROM identities ORDER BY 1").fetchall()
    assert found == [(account.name, "USERPASS") for account in sorted(ACCOUNTS, key=attrgetter("name"))]


def test_names_with_a_leading_slash_are_accepted(client: Any) -> None:
    name = "/ctao/acada/DL0/test-names"
    client.add_dataset("acada", name)
    assert client.get_did("acada", name)["name"] == name


def test_a_wrong_password_opens_nothing(running_system: RunningSystem) -> None:
    wrong = {"X-Rucio-Account": "root", "X-Rucio-Username": "root", "X-Rucio-Password": "secret"}
    answer = httpx.get(f"{running_system.instance.endpoint('rucio-server').url}/auth/userpass", headers=wrong)
    assert answer.status_code == 401


@pytest.mark.parametrize("service", ["rucio-server", "rucio-daemons"])
def test_health_and_metrics(running_system: RunningSystem, service: str) -> None:
    url = running_system.instance.endpoint(service).url
    health = httpx.get(f"{url}/healthz")
    assert (health.status_code, health.text) == (200, "ok\n")
    metrics = httpx.get(f"{url}/metrics")
    assert metrics.status_code == 200
    assert "dpps_rucio_" in metrics.text


def test_running_the_bootstrap_again_changes_nothing_but_takes_undue_trust_away(
    running_system: RunningSystem, database: psycopg.Connection
) -> None:
    client_of_root = connect_account(running_system.folder, "root")

    def contents() -> list[tuple[Any, ...]]:
        return database.execute(
            "SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM identities), "
            "(SELECT count(*) FROM account_map), (SELECT count(*) FROM scopes), (SELECT count(*) FROM rses), "
            "(SELECT count(*) FROM rse_attr_map), (SELECT count(*) FROM rse_protocols), "
            "(SELECT count(*) FROM distances), (SELECT count(*) FROM account_limits)"
        ).fetchall()

    def trust() -> list[tuple[Any, ...]]:
        question = "SELECT account, key FROM account_attr_map ORDER BY 1, 2"
        found = database.execute(question).fetchall()
        database.rollback()
        return found

    trusted = trust()
    # An earlier release made its accounts administrators, and a new one may trust them with less.
    for key in ("admin", "preserver"):
        client_of_root.add_account_attribute("ingest", key, "true")
    assert trust() != trusted
    before = contents()
    database.rollback()
    program = (
        "import sys; from pathlib import Path\n"
        "from dpps.services.rucio_process import prepare_process\n"
        "folder = prepare_process('bootstrap', ['--state', sys.argv[1]])\n"
        "from dpps.composition.instance import Instance\n"
        "from dpps.services.rucio_bootstrap import bootstrap\n"
        "bootstrap(folder, Instance.load(folder))\n"
    )
    root = str(running_system.folder.root)
    subprocess.run([environment_python("rucio"), "-c", program, root], check=True, capture_output=True)
    assert contents() == before
    assert trust() == trusted
