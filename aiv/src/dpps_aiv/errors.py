"""The error of this package: everything that is wrong, and what to do next."""

from collections.abc import Iterable


class AivError(Exception):
    """What was given cannot be used.

    Parameters
    ----------
    problems
        Every problem found, each naming its file, id or test. Never empty.
    next_step
        What the reader can do about it.
    """

    def __init__(self, problems: Iterable[str], *, next_step: str) -> None:
        self.problems = tuple(problems)
        self.next_step = next_step
        super().__init__("\n".join((*self.problems, f"Next step: {next_step}")))
