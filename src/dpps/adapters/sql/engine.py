"""Connections to the database ``dpps``, and its schema's migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, create_engine, exc, text

from dpps.domain.errors import Conflict, DppsError, Unavailable

__all__ = ["build_engine", "database_errors", "migrate"]

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATION_LOCK: Final = 0x64707073
"""Key of the advisory lock that keeps two services from migrating at once (``dpps`` in ASCII)."""


def build_engine(url: str, *, connections_max: int = 10) -> Engine:
    """Return an engine whose connections are tried before use, so that it survives a database restart.

    Parameters
    ----------
    url : str
        SQLAlchemy URL, ``postgresql+psycopg://…``; a secret.
    connections_max : int
        Connections open at the same time.
    """
    return create_engine(
        url,
        pool_size=min(5, connections_max),
        max_overflow=max(0, connections_max - 5),
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "application_name": "dpps"},
    )


def migrate(url: str) -> None:
    """Bring the schemas of the database to this program's version; safe to call from several services.

    Raises
    ------
    Unavailable
        When the database does not answer.
    Conflict
        When the database was migrated by a newer version of this program.
    """
    engine = create_engine(url, connect_args={"connect_timeout": 10})
    try:
        with database_errors(), engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            connection.commit()
            # The lock belongs to the session: it ends with the connection, whatever happens.
            connection.detach()
            if not _up_to_date(engine):
                _upgrade(engine)
    finally:
        engine.dispose()


def _up_to_date(engine: Engine) -> bool:
    """Tell whether nothing is to be done, without the second that loading alembic takes."""
    # A revision's file is named after it, and revisions are numbered in order.
    newest = max(path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
    with engine.connect() as connection:
        if connection.scalar(text("SELECT to_regclass('public.alembic_version')")) is None:
            return False
        found = connection.scalar(text("SELECT version_num FROM public.alembic_version"))
    return bool(found == newest)


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    settings = Config()
    settings.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        try:
            command.upgrade(settings, "head")
        except CommandError as unknown:
            raise Conflict(
                f"the database cannot be migrated: {unknown}",
                code="database-newer",
                next_step="run the version of dpps that migrated it last, or restore a backup",
            ) from unknown


@contextmanager
def database_errors() -> Iterator[None]:
    """Raise our errors for those of the database that mean it does not answer.

    Other errors of the database (a violated constraint that nobody expected, wrong SQL) are bugs and pass.
    """
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
        raise _unavailable(error) from error
    except exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise _unavailable(error) from error


def _unavailable(error: exc.SQLAlchemyError) -> DppsError:
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    first_line = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    return Unavailable(
        f"the database does not answer: {first_line}",
        code="database-unavailable",
        next_step="look at the service postgres: dpps status",
    )
