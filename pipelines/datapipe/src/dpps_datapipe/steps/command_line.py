"""The files that the command line of a tool names."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from dpps.domain.steps import ConfigurationError
from dpps_datapipe.outputs import check_existing, check_outputs
from dpps_datapipe.steps.table import Step

__all__ = ["NamedFiles", "check_products", "named_files", "redirected"]

#: Options that name the main output of a tool.
_PRODUCT = ("-o", "--output")
_CONFIGURATIONS = ("-c", "--config")
_LOGS = ("--provenance-log", "-l", "--log-file")


class NamedFiles:
    """The files that a command line names.

    Attributes
    ----------
    events, models, files, outputs : list of pathlib.Path
        As the `Step` divides them.
    urls : list of str
        Of files elsewhere, which ctapipe fetches: what they hold is not known before.
    configurations, logs : list of pathlib.Path
        Configuration files; provenance record and log, which are written.
    product : pathlib.Path or None
        The main one of the outputs.
    options : list of tuple of str and pathlib.Path
        Which option named which file of the `Step`.
    """

    def __init__(self) -> None:
        self.events: list[Path] = []
        self.models: list[Path] = []
        self.files: list[Path] = []
        self.outputs: list[Path] = []
        self.urls: list[str] = []
        self.configurations: list[Path] = []
        self.logs: list[Path] = []
        self.product: Path | None = None
        self.options: list[tuple[str, Path]] = []


def _kinds(step: Step) -> dict[str, str]:
    """Give the attribute of `NamedFiles` to which each option belongs; empty: none."""
    return {
        **dict.fromkeys(step.other, ""),
        **dict.fromkeys(_CONFIGURATIONS, "configurations"),
        **dict.fromkeys(_LOGS, "logs"),
        **dict.fromkeys(step.events, "events"),
        **dict.fromkeys(step.models, "models"),
        **dict.fromkeys(step.files, "files"),
        **dict.fromkeys(step.outputs, "outputs"),
    }


def _expanded(arguments: Iterable[str], known: Iterable[str]) -> list[str]:
    """Split ``--option=value`` of the known options; other arguments stay as they are."""
    options = set(known)
    result = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        result += [name, value] if equals and name in options else [argument]
    return result


def _local(word: str) -> Path | None:
    """Give the file of this machine that a word names; None: the URL of one elsewhere."""
    # Before `Path` sees it, which makes one slash of two.
    scheme, mark, _ = word.partition("://")
    if not mark:
        return Path(word)
    return Path(urlsplit(word).path) if scheme == "file" else None


def named_files(step: Step, arguments: Sequence[str]) -> NamedFiles:
    """Find the files that a command line of a tool names.

    Parameters
    ----------
    step : Step
        The tool.
    arguments : sequence of str
        As the tool gets them.

    Returns
    -------
    NamedFiles
    """
    kinds = _kinds(step)
    found = NamedFiles()
    words = iter(_expanded(arguments, kinds))
    for word in words:
        kind = kinds.get(word)
        if kind is None:
            if step.positional_events and not word.startswith("-"):
                found.events.append(Path(word))
            continue
        value = next(words, None)
        if not kind or value is None:
            continue
        path = _local(value)
        if path is None:
            found.urls.append(value)
            continue
        getattr(found, kind).append(path)
        found.options.append((word, path))
        if word in _PRODUCT:
            found.product = path
    return found


def check_products(named: NamedFiles, arguments: Sequence[str]) -> None:
    """Check that a tool does not write in place of its inputs, nor of a product without being told so.

    Parameters
    ----------
    named : NamedFiles
        The files of its command line.
    arguments : sequence of str
        The command line; ``--overwrite`` and ``--append`` count.

    Raises
    ------
    ConfigurationError
        If it does, or if the command line names no product.
    """
    if named.product is None:
        raise ConfigurationError("the product is not named", "name it with --output")
    inputs = (*named.events, *named.models, *named.files, *named.configurations)
    check_outputs([*named.outputs, *named.logs], inputs)
    if not {"--overwrite", "--append"} & set(arguments):
        check_existing(named.outputs)


def redirected(step: Step, arguments: Sequence[str], names: Mapping[Path, Path]) -> list[str]:
    """Give a command line whose products are other files.

    Parameters
    ----------
    step : Step
        The tool.
    arguments : sequence of str
        Its command line.
    names : mapping of pathlib.Path to pathlib.Path
        The other files, by product.

    Returns
    -------
    list of str
    """
    words = _expanded(arguments, step.outputs)
    result = []
    for before, word in zip(["", *words], words, strict=False):
        path = _local(word) if before in step.outputs else None
        result.append(word if path is None else str(names[path]))
    return result
