"""Who may speak to the transfer service: holders of a certificate of the same system, and nobody else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dpps.ops.certificates import ensure_certificate
from dpps.testing.postgresql import PostgresqlCluster, postgresql_cluster
from dpps.testing.transfer_service import TransferService, new_transfer_service

__all__ = ["postgresql_cluster"]

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def service(
    postgresql_cluster: PostgresqlCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TransferService]:
    with new_transfer_service(postgresql_cluster, tmp_path_factory.mktemp("callers")) as service:
        service.start()
        service.await_ready()
        yield service


def test_whoever_shows_no_certificate_is_refused(service: TransferService) -> None:
    for method, path in [("POST", "/jobs"), ("GET", "/jobs/x"), ("DELETE", "/jobs/x"), ("GET", "/whoami")]:
        answer = service.ask(method, path, caller=None)
        assert answer.status_code == 403, path
        assert answer.json()["status"] == "403 Forbidden"
        assert "shows no certificate" in answer.json()["message"]


def test_health_and_figures_are_open(service: TransferService) -> None:
    assert service.ask("GET", "/healthz", caller=None).status_code == 200
    assert "dpps_transfers" in service.ask("GET", "/metrics", caller=None).text


@pytest.mark.parametrize("caller", ["operator", "rucio-daemons"])
def test_those_who_may_are_known_by_name(service: TransferService, caller: str) -> None:
    answer = service.ask("GET", "/whoami", caller=caller)
    assert answer.status_code == 200
    assert answer.json()["user_dn"] == f"/O=dpps/CN={caller}"


@pytest.mark.parametrize("caller", ["workload", "CSCS"])
def test_other_services_of_the_system_may_not_move_files(service: TransferService, caller: str) -> None:
    ensure_certificate(service.folder.certificates, caller)
    answer = service.ask("GET", "/jobs/x", caller=caller)
    assert answer.status_code == 403
    assert caller in answer.json()["message"]


def test_a_certificate_of_another_authority_opens_nothing(service: TransferService, tmp_path: Path) -> None:
    strange = ensure_certificate(tmp_path, "operator")
    context = ssl.create_default_context(
        cafile=str(service.folder.certificates / "authority" / "certificate.pem")
    )
    context.load_cert_chain(strange.certificate, strange.key)
    with httpx.Client(verify=context, trust_env=False) as client, pytest.raises(httpx.TransportError):
        client.get(f"{service.url}/whoami")


def test_plain_http_is_not_answered(service: TransferService) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{service.port}/healthz", trust_env=False)


def test_our_clients_do_not_speak_to_an_impostor(service: TransferService, tmp_path: Path) -> None:
    strange = ensure_certificate(tmp_path, "transfers")
    context = ssl.create_default_context(cafile=str(strange.authority))
    with httpx.Client(verify=context, trust_env=False) as client, pytest.raises(httpx.ConnectError):
        client.get(f"{service.url}/healthz")
