"""A test bed of several data centres: storage servers with networks that can be cut, slowed and spoiled.

As root every storage server lives in a network namespace of its own, on one bridge: partitions are links that
are down, limits are those of the kernel (``tc``). Without the rights the servers listen on the loopback
interface; a partition is then a server that is stopped without a word, and limits are refused.

``start`` describes the servers in the state folder, so that ``dpps up`` works with them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

from dpps.composition.instance import Instance, SiteStorage, StorageKind, write_atomically
from dpps.composition.state import StateFolder
from dpps.domain.errors import Conflict, InvalidInput, NotFound, Unavailable
from dpps.domain.sites import DEFAULT_SITES
from dpps.ops import launch, ports
from dpps.ops.processes import MARK, end_all, of_service
from dpps.ops.xrootd import ensure_server, service_name

__all__ = ["BedSite", "TestBed", "may_make_networks"]

_BRIDGE: Final = "dpps-bed"
_NETWORK: Final = "10.203.0"
_PORT: Final = 1094
_PATIENCE_SECONDS: Final = 30.0
_MARK_SUFFIX: Final = "#bed"
"""Servers of the bed carry another mark than those of the system: its supervisor must not end them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BedSite:
    """One storage server."""

    rse: str
    number: int
    address: str
    port: int
    namespace: str = ""
    """Empty on the loopback interface."""

    @property
    def link(self) -> str:
        """Its end of the cable at the bridge."""
        return f"{_BRIDGE}-{self.number}"

    @property
    def url_prefix(self) -> str:
        """URL that names of files follow."""
        return f"https://{self.address}:{self.port}"


def may_make_networks() -> str | None:
    """Return None where namespaces can be made, else why not."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    missing = [name for name in ("ip", "tc") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed (apt-get install iproute2)"
    probe = subprocess.run(
        ["ip", "link", "add", f"{_BRIDGE}-try", "type", "bridge"], capture_output=True, text=True, check=False
    )
    if probe.returncode != 0:
        return f"the kernel refuses: {probe.stderr.strip()}"
    _ip("link", "delete", f"{_BRIDGE}-try")
    return None


class TestBed:
    """The bed that belongs to a state folder.

    Parameters
    ----------
    folder : StateFolder
        The system.
    """

    __test__ = False  # no class of tests, whatever its name

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._record = folder.root / "test-bed.json"

    @property
    def sites(self) -> dict[str, BedSite]:
        """The servers by RSE.

        Raises
        ------
        NotFound
            When there is no bed.
        """
        try:
            entries = json.loads(self._record.read_text())
        except FileNotFoundError:
            raise NotFound(
                f"{self._folder.root} has no test bed",
                code="no-test-bed",
                next_step=f"run: scripts/test-bed start --state {self._folder.root}",
            ) from None
        return {entry["rse"]: BedSite(**entry) for entry in entries}

    def start(self, rses: Sequence[str] = (), *, loopback: bool = False) -> None:
        """Make the networks and start the servers.

        Parameters
        ----------
        rses : sequence of str
            Which of the default sites; all by default.
        loopback : bool
            Use the loopback interface even where namespaces could be made.

        Raises
        ------
        Conflict
            When a bed runs already, of this folder or of another.
        """
        if self._record.exists():
            raise Conflict(
                f"{self._folder.root} has a test bed already",
                code="test-bed-exists",
                next_step=f"run: scripts/test-bed stop --state {self._folder.root}",
            )
        chosen = list(rses) or [site.name for site in DEFAULT_SITES]
        separate = not loopback and may_make_networks() is None
        sites = _in_namespaces(chosen) if separate else _on_loopback(chosen)
        self._folder.root.mkdir(parents=True, exist_ok=True)
        self._folder.root.chmod(0o755)
        for name in ("config", "logs"):
            (self._folder.root / name).mkdir(exist_ok=True)
        if separate:
            _make_bridge()
        # Written before anything else is made: `stop` finds it all, whenever we are killed.
        write_atomically(self._record, json.dumps([asdict(site) for site in sites]))
        try:
            self._describe(sites)
            for site in sites:
                if site.namespace:
                    _make_network(site)
                self.start_server(site)
        except BaseException:
            self.stop()
            raise

    def start_server(self, site: BedSite) -> None:
        """Start one server and wait until it listens."""
        server = ensure_server(
            self._folder, site.rse, port=site.port, vo="ctao",
            hosts=("localhost", site.address), anyone_connects=bool(site.namespace),
        )  # fmt: skip
        inside = ["ip", "netns", "exec", site.namespace] if site.namespace else []
        # No signal at our end: the servers outlive this process.
        change_user = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), "0", server.user or "-"]
        log = self._folder.log(service_name(site.rse))
        command = [*inside, *change_user, *server.command]
        os.posix_spawnp(
            command[0],
            command,
            {**os.environ, **server.environment, MARK: f"{self._folder.root}{_MARK_SUFFIX}"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        _wait_until_listening(site, log)

    def stop(self) -> None:
        """End the servers and remove the networks; also what a killed `start` has left."""
        servers = self.processes()
        for process in servers:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()  # a stopped one would not hear that it shall end
        end_all(servers, patience_seconds=10)
        with contextlib.suppress(NotFound):
            separate = [site for site in self.sites.values() if site.namespace]
            for site in separate:
                _ip("netns", "delete", site.namespace, check=False)
                _ip("link", "delete", site.link, check=False)
            if separate:
                _ip("link", "delete", _BRIDGE, check=False)
        self._record.unlink(missing_ok=True)

    def partition(self, rse: str) -> None:
        """Cut a site off: nothing answers, nothing says so."""
        site = self._site(rse)
        if site.namespace:
            _ip("link", "set", site.link, "down")
        else:
            self._signal(site, signal.SIGSTOP)

    def heal(self, rse: str | None = None) -> None:
        """Undo partitions and limits of one site, or of all."""
        for site in [self._site(rse)] if rse else self.sites.values():
            if site.namespace:
                _ip("link", "set", site.link, "up")
                for place in _both_ends(site):
                    _run([*place, "tc", "qdisc", "delete", "dev", _device(site, place), "root"], check=False)
            else:
                self._signal(site, signal.SIGCONT)

    def limit(self, rse: str, limits: Mapping[str, str]) -> None:
        """Slow a site down, in both directions.

        Parameters
        ----------
        rse : str
            The site.
        limits : mapping
            In words of ``tc``: ``rate`` (``100mbit``), ``delay`` (``20ms``), ``loss`` (``1%``). The latter
            two need a kernel with ``netem``, which not every container has.

        Raises
        ------
        InvalidInput
            On the loopback interface, which cannot be limited, or when the kernel refuses the words.
        """
        site = self._site(rse)
        if not site.namespace:
            raise InvalidInput(
                f"{rse} listens on the loopback interface, whose rate cannot be limited",
                code="test-bed-loopback",
                next_step=f"start the bed as root ({may_make_networks() or 'without --loopback'})",
            )
        words = _discipline(limits)
        for place in _both_ends(site):
            _run([*place, "tc", "qdisc", "replace", "dev", _device(site, place), "root", *words])

    def status(self) -> list[dict[str, str]]:
        """Return a row for each site: where it is, whether it answers, what limits it."""
        return [
            {
                "rse": site.rse,
                "address": f"{site.address}:{site.port}",
                "network": site.namespace or "loopback",
                "answers": "yes" if _answers(site, 1.0) else "no",
                "limits": _limits(site),
            }
            for site in self.sites.values()
        ]

    def processes(self) -> list[psutil.Process]:
        """Return the servers, and what else belongs to the bed."""
        return list(of_service(Path(f"{self._folder.root}{_MARK_SUFFIX}")))

    def _site(self, rse: str) -> BedSite:
        sites = self.sites
        if rse not in sites:
            raise InvalidInput(
                f"the test bed has no site {rse!r}",
                code="test-bed-site",
                next_step=f"choose from: {', '.join(sites)}",
            )
        return sites[rse]

    def _signal(self, site: BedSite, what: signal.Signals) -> None:
        configuration = str(self._folder.root / "xrootd" / site.rse / "xrootd.cfg")
        for process in self.processes():
            if configuration in process.cmdline():
                process.send_signal(what)

    def _describe(self, sites: Sequence[BedSite]) -> None:
        """Tell the system of its storages, unless it knows them."""
        prefixes = {site.rse: site.url_prefix for site in sites}
        known = tuple(
            SiteStorage(
                rse=one.name, onsite=one.onsite, country=one.country, latitude_deg=one.latitude_deg,
                longitude_deg=one.longitude_deg, url_prefix=prefixes[one.name],
            )
            for one in DEFAULT_SITES if one.name in prefixes
        )  # fmt: skip
        try:
            instance = Instance.load(self._folder)
        except NotFound:
            instance = Instance(storage=StorageKind.XROOTD)
        instance.model_copy(update={"sites": known}).save(self._folder)


def _in_namespaces(rses: Sequence[str]) -> list[BedSite]:
    return [
        BedSite(
            rse=rse, number=number, address=f"{_NETWORK}.{10 + number}", port=_PORT,
            namespace=f"{_BRIDGE}-{number}",
        )
        for number, rse in enumerate(rses, 1)
    ]  # fmt: skip


def _on_loopback(rses: Sequence[str]) -> list[BedSite]:
    chosen = ports.choose(rses, [])
    return [
        BedSite(rse=rse, number=number, address="127.0.0.1", port=chosen[rse].port)
        for number, rse in enumerate(rses, 1)
    ]


def _make_bridge() -> None:
    if _run(["ip", "link", "show", _BRIDGE], check=False).returncode == 0:
        raise Conflict(
            f"another test bed uses the bridge {_BRIDGE}",
            code="test-bed-exists",
            next_step=f"stop it; where its folder is gone: ip link delete {_BRIDGE}",
        )
    _ip("link", "add", _BRIDGE, "type", "bridge")
    _ip("address", "add", f"{_NETWORK}.1/24", "dev", _BRIDGE)
    _ip("link", "set", _BRIDGE, "up")


def _make_network(site: BedSite) -> None:
    _ip("netns", "add", site.namespace)
    _ip("link", "add", site.link, "type", "veth", "peer", "name", "eth0", "netns", site.namespace)
    _ip("link", "set", site.link, "master", _BRIDGE, "up")
    inside = ("-n", site.namespace)
    _ip(*inside, "address", "add", f"{site.address}/24", "dev", "eth0")
    for device in ("lo", "eth0"):
        _ip(*inside, "link", "set", device, "up")


def _both_ends(site: BedSite) -> tuple[list[str], list[str]]:
    """Return what commands begin with at the bridge's end and at the site's end of the cable."""
    return [], ["ip", "netns", "exec", site.namespace]


def _device(site: BedSite, place: Sequence[str]) -> str:
    return "eth0" if place else site.link


def _discipline(limits: Mapping[str, str]) -> list[str]:
    """Return words for a queue: a token bucket, which most kernels know, where only the rate is limited."""
    if set(limits) == {"rate"}:
        return ["tbf", "rate", limits["rate"], "burst", "256kbit", "latency", "400ms"]
    return ["netem", *(word for pair in limits.items() for word in pair)]


def _limits(site: BedSite) -> str:
    if not site.namespace:
        return ""
    shown = _run(["tc", "qdisc", "show", "dev", site.link], check=False).stdout
    words = next((line for line in shown.splitlines() if " netem " in line or " tbf " in line), "")
    return words.partition(" refcnt ")[2].partition(" ")[2]


def _answers(site: BedSite, patience_seconds: float) -> bool:
    try:
        with socket.create_connection((site.address, site.port), patience_seconds):
            return True
    except OSError:
        return False


def _wait_until_listening(site: BedSite, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _answers(site, 1.0):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the server of {site.rse} does not listen on {site.address}:{site.port}",
                code="test-bed-server",
                next_step=f"read {log}",
            )
        time.sleep(0.05)


def _ip(*words: str, check: bool = True) -> None:
    _run(["ip", *words], check=check)


def _run(command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise InvalidInput(
            f"{' '.join(command)}: {done.stderr.strip()}",
            code="test-bed-command",
            next_step="see the words that ip and tc know: man tc-netem",
        )
    return done
