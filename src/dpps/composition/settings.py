"""Settings of services, read from the environment."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from dpps.domain.errors import InvalidInput

__all__ = ["read_settings"]


def read_settings[T: BaseSettings](kind: type[T]) -> T:
    """Return the settings of a service.

    Parameters
    ----------
    kind : type
        The settings' class; the prefix of its variables is in its configuration.

    Raises
    ------
    InvalidInput
        When a variable is wrong; the message names it.
    """
    try:
        return kind()
    except ValidationError as wrong:
        first = wrong.errors()[0]
        prefix = kind.model_config.get("env_prefix", "")
        name = prefix + "_".join(str(part) for part in first["loc"]).upper()
        raise InvalidInput(
            f"the setting {name} is wrong: {first['msg']}",
            code="setting-invalid",
            next_step=f"correct or unset {name}",
            setting=name,
        ) from wrong
