"""Logs of the web server under the catalogue."""

from __future__ import annotations

import logging

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

__all__ = ["GunicornLogs"]


class GunicornLogs(Logger):  # type: ignore[misc]
    """Sends gunicorn's messages where all others go; requests are counted, not logged."""

    def setup(self, cfg: object) -> None:
        """Replace gunicorn's handlers by those of the root logger."""
        self.cfg = cfg
        self.error_log.propagate = True
        self.error_log.handlers.clear()
        self.error_log.setLevel(logging.INFO)
        self.access_log.propagate = False

    def access(self, resp: object, req: object, environ: object, request_time: object) -> None:
        """Log nothing: a line a request would drown everything else."""
