"""What a step writes: complete under its name, or not at all, and never in place of what it read."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

from dpps.domain.steps import ConfigurationError, StorageError

__all__ = ["ASIDE", "aside", "check_existing", "check_outputs", "written_aside"]

#: Begins the names of files that are being written; the end stays, from which programs know the format.
ASIDE = ".new-"


def aside(path: Path) -> Path:
    """Name the file that is written until it is complete, in the folder of the product."""
    return path.with_name(f"{ASIDE}{path.name}")


def _is_same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def check_outputs(outputs: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Check that nothing is written in place of what is read, nor twice.

    Parameters
    ----------
    outputs : sequence of pathlib.Path
        What a step shall write.
    inputs : iterable of pathlib.Path
        What it reads.

    Raises
    ------
    ConfigurationError
        If an output is one of the inputs, also by another name of it, another output, or a folder.
    """
    read = list(inputs)
    for output in outputs:
        if output.is_dir():
            raise ConfigurationError("the output is a folder", "name a file in it", path=output)
        for path in read:
            if _is_same(output, path):
                raise ConfigurationError(
                    "is to be read and written: it would be lost", "name another output", path=path
                )
    for one, other in combinations(outputs, 2):
        if _is_same(one, other):
            raise ConfigurationError("two outputs have this name", "name them differently", path=other)


def check_existing(outputs: Iterable[Path]) -> None:
    """Check that no product is there already.

    Raises
    ------
    ConfigurationError
        If there is one.
    """
    for path in outputs:
        if path.exists():
            raise ConfigurationError(
                "the output is there already", "name another one, or replace it with --overwrite", path=path
            )


@contextmanager
def written_aside(outputs: Iterable[Path], *, append: bool = False) -> Iterator[Mapping[Path, Path]]:
    """Let products be written under other names, and get theirs when all of them are complete.

    A failure removes what was written, and touches no file under the name of a product.

    Parameters
    ----------
    outputs : iterable of pathlib.Path
        The products.
    append : bool
        What is there already is copied first, for a program that adds to it.

    Yields
    ------
    mapping of pathlib.Path to pathlib.Path
        By product: where to write it. What is not written there is left as it was.

    Raises
    ------
    StorageError
        If a product does not get its name.
    """
    names = {path: aside(path) for path in outputs}
    try:
        for path, written in names.items():
            # Of a run that was killed.
            written.unlink(missing_ok=True)
            if append and path.is_file():
                shutil.copyfile(path, written)
        yield names
        for path, written in names.items():
            if written.exists():
                _rename(written, path)
    finally:
        for written in names.values():
            written.unlink(missing_ok=True)


def _rename(written: Path, path: Path) -> None:
    try:
        written.replace(path)
    except OSError as error:
        raise StorageError(
            f"does not get its name: {error}", "check the path and the space on its disk", path=path
        ) from error
