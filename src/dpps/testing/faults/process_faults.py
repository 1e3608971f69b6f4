"""Faults of processes, of the network between them, and of the clock."""

from __future__ import annotations

import random
import signal
import subprocess
from dataclasses import dataclass, field

import psutil

from dpps.testing.faults.fault import Impossible
from dpps.testing.faults.stepped_clock import SteppedClock
from dpps.testing.faults.subject import RATHER_DEAD, Subject

__all__ = ["ClockStep", "Freeze", "Kill", "KillChild", "KillSupervisor", "Unreachable"]

_RULE_PREFERENCE = 10
_STARTS = 3
_FORWARD_SECONDS = (600, 7200)
_BACKWARD_SECONDS = (10, 240)


@dataclass(slots=True)
class Kill:
    """SIGKILL to the main process of a service; the supervisor is to start it again."""

    subject: Subject
    target: str
    kind: str = "killed"
    lasts: bool = False
    _victim: psutil.Process | None = None

    def inject(self, dice: random.Random) -> str:
        """Kill."""
        self._victim = self._choose(dice)
        try:
            self._victim.kill()
        except RATHER_DEAD:
            raise Impossible(f"{self.target} is dead already") from None
        return f"process {self._victim.pid}"

    def heal(self) -> None:
        """Nothing: who supervises must see it."""

    def is_over(self) -> bool:
        """Tell whether another process answers."""
        return (self._victim is None or not self._victim.is_running()) and self.subject.is_well(self.target)

    def _choose(self, _dice: random.Random) -> psutil.Process:
        process = self.subject.process(self.target)
        if process is None:
            raise Impossible(f"{self.target} does not run now")
        return process


@dataclass(slots=True)
class KillChild(Kill):
    """SIGKILL to one of the processes that a service started: a worker, a database connection."""

    kind: str = "child killed"
    lasts: bool = False

    def _choose(self, dice: random.Random) -> psutil.Process:
        process = Kill._choose(self, dice)
        try:
            children = process.children(recursive=True)
        except RATHER_DEAD:
            children = []
        if not children:
            raise Impossible(f"{self.target} has no child processes")
        return dice.choice(sorted(children, key=lambda one: one.pid))


@dataclass(slots=True)
class KillSupervisor(Kill):
    """SIGKILL to the supervisor; its services die with it. The init system's part is played here."""

    target: str = "supervisor"
    lasts: bool = True

    def heal(self) -> None:
        """Start the system again, as systemd would: more than once, if need be."""
        for _ in range(_STARTS - 1):
            try:
                return self.subject.start()
            except RuntimeError:
                continue
        return self.subject.start()


@dataclass(slots=True)
class Freeze:
    """SIGSTOP to all processes of a service: whoever asks it waits in vain."""

    subject: Subject
    target: str
    kind: str = "frozen"
    lasts: bool = True
    _victims: list[psutil.Process] = field(default_factory=list)

    def inject(self, dice: random.Random) -> str:
        """Stop."""
        process = self.subject.process(self.target)
        if process is None:
            raise Impossible(f"{self.target} does not run now")
        try:
            # Of the supervisor only itself: that its services run on unwatched is the fault.
            children = [] if self.target == "supervisor" else process.children(recursive=True)
        except RATHER_DEAD:
            children = []
        self._victims = [process, *children]
        self._signal(signal.SIGSTOP)
        return f"{len(self._victims)} processes"

    def heal(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def is_over(self) -> bool:
        """Tell whether it answers."""
        return self.subject.is_well(self.target)

    def _signal(self, number: signal.Signals) -> None:
        for victim in self._victims:
            try:
                victim.send_signal(number)
            except RATHER_DEAD:
                continue


@dataclass(slots=True)
class Unreachable:
    """Packets to a service are turned away: a partition between it and all others.

    Needs a network namespace of the bed's own.
    """

    subject: Subject
    target: str
    kind: str = "partitioned"
    lasts: bool = True

    def inject(self, dice: random.Random) -> str:
        """Turn packets to its port away."""
        port = self._port()
        self._ip("add")
        return f"port {port}"

    def heal(self) -> None:
        """Let packets pass."""
        self._ip("del")

    def is_over(self) -> bool:
        """Tell whether it answers."""
        return self.subject.is_well(self.target)

    def _port(self) -> int:
        endpoint = self.subject.endpoint(self.target)
        if not endpoint:
            raise Impossible(f"{self.target} has no address")
        return int(endpoint["port"])

    def _ip(self, verb: str) -> None:
        rule = ["pref", str(_RULE_PREFERENCE), "ipproto", "tcp", "dport", str(self._port()), "unreachable"]
        done = subprocess.run(["ip", "rule", verb, *rule], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Impossible(f"ip rule: {done.stderr.strip()}")


@dataclass(slots=True)
class ClockStep:
    """The clock of all services jumps, and jumps back."""

    subject: Subject
    clock: SteppedClock
    target: str
    kind: str = "clock stepped"
    lasts: bool = True

    def inject(self, dice: random.Random) -> str:
        """Step."""
        forward = self.target == "forward"
        seconds = dice.randint(*_FORWARD_SECONDS) if forward else -dice.randint(*_BACKWARD_SECONDS)
        self.clock.set(seconds)
        return f"{seconds:+d} s"

    def heal(self) -> None:
        """Step back to the right time."""
        self.clock.set(0)

    def is_over(self) -> bool:
        """Tell whether every service answers."""
        return all(self.subject.is_well(name) for name in self.subject.services())
