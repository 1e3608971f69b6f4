"""Run a ctapipe tool as a step: checks before, exit codes of the interface, checks after."""

import errno
import importlib
import logging
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dpps.domain.steps import (
    ConfigurationError,
    CorruptedInput,
    InsufficientStatistics,
    MissingInput,
    StepError,
    StorageError,
    TemporaryFailure,
)
from dpps_datapipe.array_description import VARIABLE, array_description
from dpps_datapipe.fits_files import check_fits
from dpps_datapipe.origins import check_one_set_of_models, stamp_models
from dpps_datapipe.outputs import written_aside
from dpps_datapipe.provenance import complete_record
from dpps_datapipe.steps.command_line import NamedFiles, check_products, named_files, redirected
from dpps_datapipe.steps.inputs import (
    EventFile,
    check_calibration,
    check_no_primary,
    check_one_array,
    check_one_kind,
    check_primary,
    read_event_file,
)
from dpps_datapipe.steps.models import TrainedModel, check_models, read_model, stamp_model
from dpps_datapipe.steps.table import PRIMARIES, Step

__all__ = ["run_step", "translate"]

_TELESCOPE_IN_NAME = re.compile(r"TEL(\d{3})_")
_TRUNCATION = "File seems to be truncated"
#: What the readers of a simulation (sim_telarray) say of the last, unfinished block.
_CUT_OFF = (_TRUNCATION, "buffer is smaller than requested size")
_FITS = (".fits.fz", ".fits", ".fits.gz")
_ARRAY_STREAM = re.compile(r"SUB\d+_.*_SUBARRAY_.*\.fits\.fz$")
#: What the readers say of a file that none of them takes, or whose name is not one of a stream.
_UNREADABLE = ("Could not find compatible EventSource", "did not match convention")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
#: Of the generator in `ctapipe.fitting`.
_FIT_SEED = 0
#: Exit code of ctapipe for a configuration that cannot be used.
_TOOL_MISCONFIGURED = 2


def _is_table_file(path: Path) -> bool:
    """Whether a file is, by its name, in ctapipe's HDF5 layout."""
    return path.suffix in {".h5", ".hdf5"}


def _staged_telescopes(path: Path) -> set[int]:
    """Telescopes of zfits streams: the file's own, or those laid out beside a subarray stream."""
    own = _TELESCOPE_IN_NAME.match(path.name)
    if own is not None:
        return {int(own.group(1))}
    top = next((parent for parent in path.parents if parent.name == "DL0"), None)
    if top is None:
        return set()
    names = (file.name for file in top.rglob("TEL*"))
    return {int(match.group(1)) for name in names if (match := _TELESCOPE_IN_NAME.match(name))}


def _check_kind(step: Step, file: EventFile, option: str) -> None:
    """Check that a file is simulated, and of what, where the option of the tool wants it so."""
    if option in step.simulated and not file.simulated:
        raise MissingInput(
            "its events are not simulated: they have no truth",
            path=file.path,
            next_step="give simulated events",
        )
    if option in step.primaries:
        name = step.primaries[option]
        check_primary(file, name, PRIMARIES[name])
    if option in step.excluded:
        name = step.excluded[option]
        check_no_primary(file, name, PRIMARIES[name])


def _check_before(step: Step, named: NamedFiles, models: Sequence[TrainedModel]) -> None:
    for path in (*named.events, *named.files):
        if not path.is_file():
            raise MissingInput("the file is not there", path=path)
        if path.name.endswith(_FITS):
            check_fits(path)
        if _ARRAY_STREAM.match(path.name) and not _staged_telescopes(path):
            raise MissingInput(
                "no stream of a telescope is found beside the array's",
                path=path,
                next_step="lay them out as acquisition and process_dl0_dl1.cwl do: DL0/LSTN-01/…/TEL001_…",
            )
    tables = [read_event_file(path) for path in named.events if _is_table_file(path)]
    known = {file.path: file for file in tables}
    for option, path in named.options:
        if path in known:
            _check_kind(step, known[path], option)
    if step.positional_events and len(tables) < len(named.events):
        wrong = next(path for path in named.events if not _is_table_file(path))
        raise CorruptedInput("not an HDF5 event file", path=wrong)
    check_one_array(tables)
    if step.one_kind:
        check_one_kind(tables)
    check_one_set_of_models(tables)
    for events in tables:
        check_models(events, models)
    if "--HDF5MonitoringSource.input_files" in step.files and named.files:
        telescopes = {tel_id for events in tables for tel_id in events.active}
        for path in named.events:
            telescopes |= set() if _is_table_file(path) else _staged_telescopes(path)
        check_calibration(named.files[0], telescopes)


def translate(error: BaseException, inputs: Sequence[Path]) -> StepError:
    """Map what a tool raised to an error of the interface.

    Parameters
    ----------
    error : BaseException
        From ctapipe or a library below it.
    inputs : sequence of pathlib.Path
        What the step read; the first is named where the error names none.

    Returns
    -------
    StepError
    """
    import tables
    from ctapipe.core import ToolConfigurationError
    from ctapipe.core.expression_engine import ExpressionError
    from ctapipe.exceptions import IncompatibleDataModelVersion, InputMissing, TooFewEvents, UnknownSubarray
    from ctapipe.io.hdf5merger import CannotMerge
    from requests import ConnectionError as Unreachable
    from requests import RequestException, Timeout
    from traitlets import TraitError

    if isinstance(error, StepError):
        return error
    path = inputs[0] if inputs else None
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, TooFewEvents):
        return InsufficientStatistics(text, path=path, next_step="give more events, or loosen the selection")
    if isinstance(error, CannotMerge):
        return CorruptedInput(text, path=path, next_step="merge files of one array and data model")
    if isinstance(error, UnknownSubarray | IncompatibleDataModelVersion):
        step = f"name a folder with this subarray in {VARIABLE}; dpps-simpipe service-data writes one"
        return ConfigurationError(f"no array description fits: {text}", path=path, next_step=step)
    if isinstance(error, InputMissing | FileNotFoundError):
        return MissingInput(text, path=path)
    if isinstance(error, ExpressionError):
        step = "apply the models first, or correct the expression in the configuration"
        return MissingInput(f"a column of the configuration is not there: {text}", path=path, next_step=step)
    if isinstance(error, ValueError) and any(words in text for words in _UNREADABLE):
        step = "give a file that ctapipe reads, with the name that the telescopes' software gave it"
        return CorruptedInput(f"not read as events: {text}", path=path, next_step=step)
    if isinstance(error, TraitError | ToolConfigurationError):
        return ConfigurationError(text, next_step="correct the configuration; --help-all lists the options")
    if isinstance(error, SystemExit):
        kind = ConfigurationError if error.code in (1, _TOOL_MISCONFIGURED) else StepError
        return kind(f"the tool ended with exit code {error.code}; its log says why", path=path)
    if isinstance(error, Unreachable | Timeout):
        return TemporaryFailure(f"not fetched: {text}", next_step="try again later, or give the file itself")
    if isinstance(error, RequestException):
        return MissingInput(f"not fetched: {text}", next_step="check the URL, or give the file itself")
    if isinstance(error, EOFError | tables.HDF5ExtError) or any(words in text for words in _CUT_OFF):
        return CorruptedInput(text, path=path, next_step="compare its checksum and fetch it again")
    if isinstance(error, OSError):
        if error.errno in _NO_ROOM:
            return StorageError(text, next_step="make room, or choose another place")
        return CorruptedInput(text, path=path, next_step="compare its checksum and fetch it again")
    return StepError(text, path=path)


def _tool(step: Step) -> Any:
    module, _, name = step.tool.partition(":")
    return getattr(importlib.import_module(module), name)()


def _is_no_step_error(record: logging.LogRecord) -> bool:
    """Keep tracebacks of our own refusals out of the log: the command prints their text."""
    kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
    return kind is None or not issubclass(kind, StepError)


def _recorded(tool: Any, error: StepError, names: Mapping[Path, Path]) -> StepError:
    """Write the provenance of a run that failed: ctapipe leaves its activity open."""
    from ctapipe.core import Provenance

    if Provenance().current_activity is not None:
        Provenance().finish_activity(status="error", exit_code=error.exit_code)
    log = Path(tool.provenance_log)
    log.write_text(Provenance().as_json(), encoding="utf-8")
    complete_record(log, names)
    return error


def _restart_random_numbers() -> None:
    """Let a run begin as the first one of a process does: ctapipe draws from one generator for all fits."""
    from ctapipe import fitting

    fitting.FIT_RNG.bit_generator.state = np.random.default_rng(_FIT_SEED).bit_generator.state


def _run_tool(
    step: Step, arguments: Sequence[str], inputs: Sequence[Path], names: Mapping[Path, Path]
) -> Path:
    """Run the tool in this process; give its provenance record, without checksums.

    Raises
    ------
    StepError
        If it does not end well.
    """
    from ctapipe.core import Provenance

    tool = _tool(step)
    _restart_random_numbers()
    tool.log.addFilter(_is_no_step_error)
    # One record for each run, also when several tools run in one process.
    Provenance().clear()
    with warnings.catch_warnings(), array_description():
        warnings.filterwarnings("error", message=_TRUNCATION)
        try:
            tool.run(redirected(step, arguments, names), raises=True)
        except SystemExit as end:
            if end.code not in (0, None):
                raise _recorded(tool, translate(end, inputs), names) from end
        except Exception as error:
            raise _recorded(tool, translate(error, inputs), names) from error
    return Path(tool.provenance_log)


def _check_after(
    step: Step, named: NamedFiles, models: Sequence[TrainedModel], names: Mapping[Path, Path]
) -> None:
    for path, written in names.items():
        if not written.is_file():
            raise StepError("the step ended without writing it", path=path)
    if named.product is None:
        return
    product = names[named.product]
    if step.writes_events and read_event_file(product, needs_events=False).n_events == 0:
        raise InsufficientStatistics(
            "no event passed the selection: the product would be empty",
            path=named.events[0] if named.events else named.product,
            next_step="look at the selection in the configuration",
        )
    if step.writes_model:
        stamp_model(product)
    if models:
        stamp_models(product, {model.predicts: model.sha256 for model in models})


def _with_product_names(error: StepError, names: Mapping[Path, Path]) -> StepError:
    """Name products in an error as the command line does, not as they are called while they are written."""
    # By their last part alone: tools make paths absolute.
    products = {written.name: path for path, written in names.items()}
    message = error.message
    for written, path in products.items():
        message = message.replace(written, path.name)
    where = None if error.path is None else products.get(error.path.name, error.path)
    return type(error)(message, error.next_step, path=where)


def run_step(step: Step, arguments: Sequence[str]) -> None:
    """Run a tool between its checks; its products get their names when these are passed.

    Parameters
    ----------
    step : Step
        The tool.
    arguments : sequence of str
        Options of the tool.

    Raises
    ------
    StepError
        With the exit code of the interface; files under the names of the products are as they were.
    """
    if {"-h", "--help", "--help-all", "--version"} & set(arguments):
        _tool(step).run(list(arguments))
        return
    named = named_files(step, arguments)
    check_products(named, arguments)
    models = [read_model(path) for path in named.models]
    _check_before(step, named, models)
    with written_aside(named.outputs, append="--append" in arguments) as names:
        try:
            log = _run_tool(step, arguments, named.events, names)
            try:
                _check_after(step, named, models, names)
            finally:
                # After the last change of the products: the record holds their checksums.
                complete_record(log, names)
        except StepError as error:
            raise _with_product_names(error, names) from error
