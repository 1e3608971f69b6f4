"""Configuration of the catalogue: complete, and without secrets where others can read."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from dpps.composition.instance import Endpoint, Instance
from dpps.composition.state import StateFolder
from dpps.ops.rucio_config import server_settings, write_rucio_configuration


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path)
    folder.ensure_secret("postgres")
    return folder


@pytest.fixture
def instance() -> Instance:
    names = ("postgres", "rucio-server", "transfers")
    return Instance(endpoints={name: Endpoint(port=1000 + number) for number, name in enumerate(names)})


def test_clients_learn_no_secret(folder: StateFolder, instance: Instance) -> None:
    write_rucio_configuration(instance, folder)
    text = folder.rucio_client_config.read_text()
    secrets = [path.read_text() for path in (folder.root / "secrets").iterdir()]
    assert secrets
    assert not [secret for secret in secrets if secret in text]
    assert "http://127.0.0.1:1001" in text


def test_files_with_secrets_are_closed_to_others(folder: StateFolder, instance: Instance) -> None:
    write_rucio_configuration(instance, folder)
    for name in ("rucio.cfg", "alembic.ini"):
        assert (folder.config / name).stat().st_mode & 0o077 == 0


def test_rucio_reads_what_was_written(folder: StateFolder, instance: Instance) -> None:
    write_rucio_configuration(instance, folder)
    parser = configparser.ConfigParser()
    parser.read(folder.config / "rucio.cfg")
    assert parser["database"]["default"] == instance.database(folder, "rucio")
    assert parser["common"]["logformat"].startswith("%(asctime)s")


def test_no_stranger_becomes_root(folder: StateFolder, instance: Instance) -> None:
    bootstrap = server_settings(instance, folder)["bootstrap"]
    identities = {key: value for key, value in bootstrap.items() if key.endswith("_identity")}
    assert identities == {
        "userpass_identity": "root",
        "x509_identity": "none",
        "gss_identity": "none",
        "ssh_identity": "none",
    }


def test_damage_is_not_left_to_a_remembered_answer(folder: StateFolder, instance: Instance) -> None:
    assert server_settings(instance, folder)["necromancer"] == {"cache_time": "1"}


def test_the_memcached_of_a_stranger_is_not_used(folder: StateFolder, instance: Instance) -> None:
    assert server_settings(instance, folder)["cache"] == {"url": "127.0.0.1:9"}
