"""The system under test, seen and touched from outside: commands, processes, folders."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

__all__ = ["RATHER_DEAD", "Subject"]

RATHER_DEAD = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, ProcessLookupError)
_QUESTION_SECONDS = 3.0


@dataclass(slots=True)
class Subject:
    """A system in its state folder."""

    state: Path
    environment: dict[str, str] = field(default_factory=dict)
    """Added to the environment of its commands."""

    @property
    def handover(self) -> Path:
        """Folder that the ingest service watches."""
        return self.state / "handover"

    def storage(self, rse: str) -> Path:
        """Return the folder of a storage, as the system sees it."""
        return self.state / "storage" / rse

    def command(self, *arguments: str, patience_seconds: float = 240.0) -> subprocess.CompletedProcess[str]:
        """Give one command to ``dpps``; its exit code is not judged."""
        program = "import sys; from dpps.cli.main import run; sys.exit(run())"
        return subprocess.run(
            [sys.executable, "-c", program, *arguments, "--state", str(self.state)],
            capture_output=True,
            text=True,
            timeout=patience_seconds,
            check=False,
            env={**os.environ, **self.environment},
        )

    def start(self) -> None:
        """Bring the system up.

        Raises
        ------
        RuntimeError
            When it does not come up.
        """
        done = self.command("up")
        if done.returncode != 0:
            raise RuntimeError(f"dpps up failed: {done.stderr.strip() or done.stdout.strip()}")

    def stop(self) -> None:
        """Bring the system down."""
        self.command("down")

    def status(self) -> dict[str, Any]:
        """Return what the supervisor wrote last; empty where it wrote nothing."""
        try:
            found: dict[str, Any] = json.loads((self.state / "run" / "status.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def services(self) -> list[str]:
        """Return the services that run as processes, in the order in which they start."""
        return [one["name"] for one in self.status().get("services", []) if one["pid"] is not None]

    def service(self, name: str) -> dict[str, Any]:
        """Return what the supervisor says of one service."""
        found = (one for one in self.status().get("services", []) if one["name"] == name)
        return next(found, {})

    def process(self, name: str) -> psutil.Process | None:
        """Return the main process of a service, or of the ``supervisor``, while it lives."""
        status = self.status()
        number = status.get("supervisor_pid") if name == "supervisor" else self.service(name).get("pid")
        try:
            return psutil.Process(number) if number else None
        except RATHER_DEAD:
            return None

    def endpoint(self, name: str) -> dict[str, Any]:
        """Return host, port and scheme of a service."""
        instance = json.loads((self.state / "instance.json").read_text())
        found: dict[str, Any] = instance["endpoints"].get(name, {})
        return found

    def sites(self) -> list[dict[str, Any]]:
        """Return the storages with their properties."""
        instance = json.loads((self.state / "instance.json").read_text())
        found: list[dict[str, Any]] = instance["sites"]
        return found

    def is_well(self, name: str) -> bool:
        """Tell whether a service is ready, by the supervisor's word and by its own answer."""
        if name == "supervisor":
            return bool(self.status().get("services")) and self.process(name) is not None
        if self.service(name).get("state") != "ready":
            return False
        endpoint = self.endpoint(name)
        if name in ("postgres", "cache"):
            return _accepts(endpoint)
        return self._says_ok(endpoint)

    def _says_ok(self, endpoint: dict[str, Any]) -> bool:
        context = None
        if endpoint["scheme"] == "https":
            authority = self.state / "certificates" / "authority" / "certificate.pem"
            context = ssl.create_default_context(cafile=str(authority))
        url = f"{endpoint['scheme']}://{endpoint['host']}:{endpoint['port']}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=_QUESTION_SECONDS, context=context) as answer:  # noqa: S310 - the scheme is the system's own
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _accepts(endpoint: dict[str, Any]) -> bool:
    try:
        socket.create_connection((endpoint["host"], endpoint["port"]), timeout=_QUESTION_SECONDS).close()
    except OSError:
        return False
    return True
