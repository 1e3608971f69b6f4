"""Command lines whose complaints are errors of the interface."""

import argparse
from typing import NoReturn

from dpps_datapipe.errors import ConfigurationError

__all__ = ["StepParser"]


class StepParser(argparse.ArgumentParser):
    """A parser that raises `ConfigurationError` instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line.

        Raises
        ------
        ConfigurationError
            Always.
        """
        raise ConfigurationError(message, next_step=f"{self.prog} --help lists the options")
