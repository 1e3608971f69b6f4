"""The programs ``xrdfs`` and ``xrdcp``, run with one token each, TLS verified and nothing inherited.

A token is no argument and no file: the program reads it from memory that it shares with us (``memfd``), which
is gone with the two of us.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread, Timer
from typing import IO, Final

from dpps.adapters.storage.byte_streams import CHUNK_BYTES
from dpps.domain.errors import NotFound

__all__ = ["ProgramFailed", "XrootdPrograms"]

_SILENT_SECONDS: Final = 60
_CONNECT_SECONDS: Final = 10
_LOOK_SECONDS: Final = 0.5
"""How often a running copy is looked at."""
_PATIENCE_SECONDS: Final = 3600.0
"""A server may read a whole large file before it answers, to tell its checksum."""
_LONGEST_COMPLAINT: Final = 4096
_ENVIRONMENT: Final = {
    "XRD_CONNECTIONWINDOW": str(_CONNECT_SECONDS),
    "XRD_CONNECTIONRETRY": "1",
    "XRD_REQUESTTIMEOUT": str(_SILENT_SECONDS),
    "XRD_STREAMTIMEOUT": str(_SILENT_SECONDS),
    "XRD_STREAMERRORWINDOW": str(_SILENT_SECONDS),
    "PATH": os.defpath,
    "TZ": "UTC",
}


class ProgramFailed(Exception):
    """A program ended with an error; carries what it wrote."""


class XrootdPrograms:
    """Runs the programs; safe to share between threads.

    Parameters
    ----------
    trusted : pathlib.Path
        Folder with the certificates of the authorities that servers must be certified by, each under the
        hash of its name; no other is trusted.
    patience_seconds : float
        How long one question to a server may take.
    """

    def __init__(self, trusted: Path, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._trusted = trusted
        self._patience_seconds = patience_seconds

    def ask(self, token: str | None, server: str, *command: str) -> str:
        """Let ``xrdfs`` do one thing at a server; return what it wrote.

        Raises
        ------
        ProgramFailed
            With its complaint; also when it takes too long.
        """
        with (
            self._started(token, "xrdfs", (f"roots://{server}", *command), told=True) as running,
            running.ended_after(self._patience_seconds),
        ):
            told = running.told().read()
            running.finish()
        return told.decode(errors="replace")

    def read(self, token: str | None, url: str) -> Iterator[bytes]:
        """Yield the bytes of a file.

        Raises
        ------
        ProgramFailed
            When it cannot be read to its end.
        """
        with self._started(token, "xrdcp", ("--silent", url, "-"), told=True) as running:
            while chunk := running.told().read(CHUNK_BYTES):
                yield chunk
            running.finish()

    def write(self, token: str | None, url: str, chunks: Iterable[bytes]) -> None:
        """Write a file, in place of one that has the name.

        Raises
        ------
        ProgramFailed
            When the server does not take all of it.
        """
        with self._started(token, "xrdcp", ("--silent", "--force", "-", url), given=True) as running:
            running.give(chunks)
            running.finish()

    def copy(self, token: str, source_url: str, destination_url: str, proceed: Callable[[], None]) -> None:
        """Let one server fetch a file from another; what ``proceed`` raises ends the copy.

        Raises
        ------
        ProgramFailed
            With the complaint of the server.
        """
        arguments = ("--silent", "--force", "--tpc", "only", source_url, destination_url)
        with self._started(token, "xrdcp", arguments) as running:
            while not running.has_ended(_LOOK_SECONDS):
                proceed()
            running.finish()

    @contextmanager
    def _started(
        self,
        token: str | None,
        program: str,
        arguments: Sequence[str],
        *,
        given: bool = False,
        told: bool = False,
    ) -> Iterator[_Running]:
        """Run a program; when the block is left early, it is ended."""
        path = _found(program)
        with _in_memory(token) as descriptor:
            process = subprocess.Popen(
                [path, *arguments],
                stdin=subprocess.PIPE if given else subprocess.DEVNULL,
                stdout=subprocess.PIPE if told else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(descriptor,),
                env={
                    **_ENVIRONMENT,
                    "X509_CERT_DIR": str(self._trusted),
                    "BEARER_TOKEN_FILE": f"/dev/fd/{descriptor}",
                },
            )
        running = _Running(process)
        try:
            yield running
        finally:
            running.end()


class _Running:
    """A program that runs; what it complains of is read while its other ends are busy."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._complaint = b""
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def told(self) -> IO[bytes]:
        """Return the stream of what it writes."""
        return _stream(self._process.stdout)

    def give(self, chunks: Iterable[bytes]) -> None:
        """Let it read bytes; one that ends before says why when it is asked to finish."""
        stream = _stream(self._process.stdin)
        for chunk in chunks:
            try:
                stream.write(chunk)
            except BrokenPipeError:
                break
        with suppress(BrokenPipeError):
            stream.close()

    def has_ended(self, seconds: float) -> bool:
        """Wait for its end for so long."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @contextmanager
    def ended_after(self, seconds: float) -> Iterator[None]:
        """End it when the block takes longer.

        Raises
        ------
        ProgramFailed
            When it was ended.
        """
        late = Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = Timer(seconds, end)
        timer.start()
        try:
            yield
        except ProgramFailed as failed:
            if late.is_set():
                raise ProgramFailed(f"timed out after {seconds:g} s") from failed
            raise
        finally:
            timer.cancel()

    def finish(self) -> None:
        """Wait for its end.

        Raises
        ------
        ProgramFailed
            When it ended with an error.
        """
        self._process.wait()
        self._listener.join()
        if self._process.returncode:
            text = self._complaint.decode(errors="replace").replace("\x00", " ")
            raise ProgramFailed(" ".join(text.split()) or f"it ended with {self._process.returncode}")

    def end(self) -> None:
        """End it, unless it has ended; and close what leads to it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout):
            # What was not taken is not wanted any more.
            with suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()

    def _listen(self) -> None:
        with _stream(self._process.stderr) as stream:
            while heard := stream.read(_LONGEST_COMPLAINT):
                self._complaint = (self._complaint + heard)[-_LONGEST_COMPLAINT:]


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("the program was started without this stream")
    return stream


@contextmanager
def _in_memory(token: str | None) -> Iterator[int]:
    descriptor = os.memfd_create("token")
    try:
        os.fchmod(descriptor, 0o600)  # the programs refuse a token that others may read
        os.write(descriptor, (token or "").encode())
        yield descriptor
    finally:
        os.close(descriptor)


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise NotFound(
            f"the program {program} is not installed",
            code="xrootd-missing",
            next_step="run: scripts/install-debian-packages   (package xrootd-client)",
        )
    return path
