"""Configuration files of the catalogue: written anew at every start, from the instance."""

from __future__ import annotations

import configparser
import io

from dpps.composition.instance import Instance, write_atomically
from dpps.composition.state import StateFolder

__all__ = ["client_settings", "server_settings", "write_rucio_configuration"]

_LOG_FORMAT = "%%(asctime)s %%(name)s %%(levelname)s %%(message)s"

_PUBLISHED_POLICY = "bdms_rucio_policy"
"""What clients need: names and algorithms. The server adds permissions to them."""
_POLICY = {
    "package": "dpps.services.rucio_policy",
    "permission": "generic",
    "schema": "generic",
    "lfn2pfn_algorithm_default": "ctao_bdms",
    "extract_scope": "ctao_bdms",
    "pfn2lfn": "ctao_bdms",
    "support": "the operators of this system",
}

# Rucio makes well-known strangers into root unless these are overridden.
_NO_IDENTITIES = {
    f"{kind}_{what}": value
    for kind in ("x509", "gss", "ssh")
    for what, value in (("identity", "none"), ("email", "none@localhost"))
}


def client_settings(instance: Instance) -> dict[str, dict[str, str]]:
    """Return what a stock Rucio client needs: addresses and policy, no credentials."""
    url = instance.endpoint("rucio-server").url
    return {
        "common": {"logformat": _LOG_FORMAT, "loglevel": "INFO"},
        "client": {
            "rucio_host": url,
            "auth_host": url,
            "auth_type": "userpass",
            "request_retries": "3",
        },
        "policy": {
            "package": _PUBLISHED_POLICY,
            **{key: _POLICY[key] for key in ("lfn2pfn_algorithm_default", "extract_scope")},
        },
    }


def server_settings(instance: Instance, folder: StateFolder) -> dict[str, dict[str, str]]:
    """Return the settings of server and daemons; holds the database password."""
    settings = client_settings(instance)
    settings["database"] = {
        "default": instance.database(folder, "rucio").replace("%", "%%"),
        "pool_size": "5",
        "max_overflow": "25",
        "pool_recycle": "1800",
    }
    settings["bootstrap"] = {
        "userpass_identity": "root",
        "userpass_pwd": folder.ensure_secret("rucio-root"),
        "userpass_email": "root@localhost",
        **_NO_IDENTITIES,
    }
    settings["policy"] = _POLICY
    settings["metadata"] = {"plugins": "dpps.services.rucio_policy.metadata.ProductMetadata"}
    settings["alembic"] = {"cfg": str(folder.config / "alembic.ini")}
    # With an id that follows from its content, a submission that is repeated is the same job.
    settings["conveyor"] = {
        "scheme": "file,https",
        "transfertool": "fts3",
        "use_deterministic_id": "True",
        # What Rucio takes anyway, after asking the database for each file whether another one is set.
        "default-source-strategy": "orderly",
        "activity-source-strategy": "{}",
        # The tool shows it to the transfer service; certificate and key are in the one file.
        "usercert": str(folder.credential("rucio-daemons")),
    }
    # Nobody collects messages of transfers: without a broker each file would leave three rows of them.
    settings["hermes"] = {"services_list": "email"}
    # Rucio would fetch a table of places from the internet to sort copies by distance: no such address.
    settings["core"] = {"geoip_download_url": "none://"}
    # Otherwise damage that is declared after a look without any waits for up to ten minutes.
    settings["necromancer"] = {"cache_time": "1"}
    settings["cache"] = {"url": _cache_address(instance)}
    return settings


def write_rucio_configuration(instance: Instance, folder: StateFolder) -> None:
    """Write the server's, the clients' and alembic's configuration."""
    write_atomically(folder.rucio_client_config, _render(client_settings(instance)))
    write_atomically(folder.config / "rucio.cfg", _render(server_settings(instance, folder)), mode=0o600)
    alembic = _alembic_settings(instance, folder)
    write_atomically(folder.config / "alembic.ini", _render(alembic), mode=0o600)


def _cache_address(instance: Instance) -> str:
    """Return the cache's address; without one, a port where nothing listens.

    Rucio would otherwise use whatever memcached runs on the machine, which may belong to a stranger.
    """
    cache = instance.endpoints.get("cache")
    return f"{cache.host}:{cache.port}" if cache else "127.0.0.1:9"


def _alembic_settings(instance: Instance, folder: StateFolder) -> dict[str, dict[str, str]]:
    return {
        "alembic": {
            "script_location": "rucio:db/sqla/migrate_repo",
            "sqlalchemy.url": instance.database(folder, "rucio").replace("%", "%%"),
        },
        "loggers": {"keys": "root"},
        "handlers": {"keys": "console"},
        "formatters": {"keys": "generic"},
        "logger_root": {"level": "WARN", "handlers": "console"},
        "handler_console": {
            "class": "StreamHandler",
            "args": "(sys.stderr,)",
            "level": "NOTSET",
            "formatter": "generic",
        },
        "formatter_generic": {"format": "%(levelname)s [%(name)s] %(message)s"},
    }


def _render(settings: dict[str, dict[str, str]]) -> str:
    parser = configparser.RawConfigParser()
    parser.read_dict(settings)
    stream = io.StringIO()
    parser.write(stream)
    return stream.getvalue()
