"""The system as an operator meets it: installed by one command, storages configured, all observable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dpps.composition.encryption import client_context
from dpps.domain.sites import DEFAULT_SITES
from dpps.testing.command_line import Shell

if TYPE_CHECKING:
    from tests.conftest import RunningSystem

pytestmark = pytest.mark.rucio

OWN_SERVICES = ("rucio-server", "rucio-daemons", "transfers", "ingest", "workload")


@pytest.mark.verifies_usecase("UC-170-1.2.1")
def test_one_command_installs_and_the_same_again_changes_nothing(
    running_system: RunningSystem, dpps: Shell
) -> None:
    before = running_system.folder.instance_file.read_bytes()
    processes = {one["name"]: one["pid"] for one in dpps("status")["services"]}
    again = dpps("up")
    assert again["already_running"] is True
    assert {one["name"]: one["pid"] for one in again["services"]} == processes
    assert running_system.folder.instance_file.read_bytes() == before
    found = dpps("doctor")
    assert found["healthy"] is True
    assert {finding["subject"] for finding in found["findings"]} >= {"python", "postgresql", "state folder"}


@pytest.mark.verifies_usecase("UC-170-1.6")
def test_every_site_has_a_configured_storage_element(running_system: RunningSystem) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUCIO_CONFIG", str(running_system.folder.rucio_client_config))
        from rucio.client import Client

        password = running_system.folder.secret("rucio-reader")
        client = Client(
            account="reader", auth_type="userpass", creds={"username": "reader", "password": password}
        )
    transfers = running_system.instance.endpoint("transfers").url
    for site in DEFAULT_SITES:
        attributes = client.list_rse_attributes(site.name)
        assert attributes["ONSITE" if site.onsite else "OFFSITE"] is True
        assert ("OFFSITE" if site.onsite else "ONSITE") not in attributes
        assert attributes["country"] == site.country
        assert float(attributes["latitude"]) == pytest.approx(site.latitude_deg)
        assert float(attributes["longitude"]) == pytest.approx(site.longitude_deg)
        assert attributes["fts"] == transfers
        (protocol,) = client.get_protocols(site.name)
        assert protocol["scheme"] == "file"
        assert running_system.folder.storage(site.name).is_dir()


@pytest.mark.verifies_usecase("UC-170-2.1")
def test_state_metrics_and_logs_of_every_service(running_system: RunningSystem, dpps: Shell) -> None:
    status = dpps("status")
    services = {service["name"]: service for service in status["services"]}
    assert {service["state"] for service in services.values()} <= {"ready", "absent"}
    addresses = [f"{running_system.instance.endpoint(name).url}/metrics" for name in OWN_SERVICES]
    assert all(services[name]["address"] in url for name, url in zip(OWN_SERVICES, addresses, strict=True))
    trusted = client_context(running_system.folder)
    for address in [status["metrics_url"], *addresses]:
        answer = httpx.get(address, trust_env=False, verify=trusted)
        assert answer.status_code == 200, address
        assert list(text_string_to_metric_families(answer.text)), address
    for name in OWN_SERVICES:
        lines = running_system.folder.log(name).read_text().splitlines()
        assert lines, name
        for line in lines:
            assert {"service", "event", "level", "time"} <= json.loads(line).keys(), line
