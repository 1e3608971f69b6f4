"""One log format for every process: JSON lines in files and pipes, pretty on a terminal.

Bind identifiers once (``structlog.contextvars.bind_contextvars(production=…, task=…, job=…, lfn=…)``)
and they appear on every line below, those of libraries included.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

__all__ = ["configure_logging"]


def configure_logging(service: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send the logs of this process, structlog's and the standard library's, to one stream.

    Parameters
    ----------
    service : str
        Name that every line carries.
    level : str
        Least severity shown.
    stream : TextIO, optional
        Where to; standard error by default.
    """
    target = stream or sys.stderr

    def name_service(
        _logger: object, _method: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        # Not a context variable: those do not reach the threads of libraries.
        event.setdefault("service", service)
        return event

    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        name_service,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
    ]
    pretty = target.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(event_key="event", timestamp_key="time")
        if pretty
        else structlog.processors.JSONRenderer(default=str)
    )
    closing: list[structlog.types.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        *([] if pretty else [structlog.processors.format_exc_info]),
        renderer,
    ]
    handler = logging.StreamHandler(target)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=closing))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The HTTP library would write a line for every request, which is no event of ours.
    logging.getLogger("httpx").setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
