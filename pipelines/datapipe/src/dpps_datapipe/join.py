"""``dpps-datapipe join-telescopes``: the telescopes and chunks of an observation block in one DL1 file.

``ctapipe-merge`` puts observations, or chunks of one, after another; it does not
put telescopes side by side. Here the rows of every telescope are copied as they
are, the triggers of the telescopes are collected, and an event of the array is
what has one identifier in the files of several telescopes.
"""

import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dpps.domain.steps import CorruptedInput, StepParser
from dpps_datapipe.outputs import check_outputs, written_aside
from dpps_datapipe.provenance import Activity
from dpps_datapipe.steps.inputs import EventFile, check_one_array, read_event_file

__all__ = ["join_telescopes", "run"]

_ARRAY_TRIGGERS = "/dl1/event/subarray/trigger"
_TELESCOPE_TRIGGERS = "/dl1/event/telescope/trigger"
#: Groups of tables ``tel_XXX`` with a row for each event.
_EVENT_GROUPS = (
    "/dl1/event/telescope/images",
    "/dl1/event/telescope/parameters",
    "/dl1/event/telescope/muon",
)
#: Tables ``tel_XXX`` with rows in time, of which every file has its part.
_POINTINGS = ("/dl0/monitoring/telescope/pointing",)
#: Nodes that belong to a telescope or to the observation: taken from the first file that has them.
_ONCE = ("/configuration", "/dl1/monitoring")
_ROWS_AT_ONCE = 50_000


def _tables_below(file: Any, group: str) -> Iterator[Any]:
    if group in file.root:
        yield from file.walk_nodes(group, "Table")


def _copy_once(source: Any, target: Any) -> None:
    for group in _ONCE:
        for table in _tables_below(source, group):
            path = table._v_pathname
            if path not in target.root:
                parent = target.root
                for name in path.strip("/").split("/")[:-1]:
                    parent = (
                        parent._f_get_child(name) if name in parent else target.create_group(parent, name)
                    )
                table._f_copy(parent)


def _append(source: Any, target: Any, paths: Sequence[str]) -> None:
    for path in paths:
        for table in _tables_below(source, path):
            where, _, name = table._v_pathname.rpartition("/")
            if table._v_pathname not in target.root:
                new = target.create_table(where, name, obj=table[:0], createparents=True)
                for key in table.attrs._f_list("user"):
                    new.attrs[key] = table.attrs[key]
            joined = target.root[table._v_pathname]
            for start in range(0, table.nrows, _ROWS_AT_ONCE):
                joined.append(table[start : start + _ROWS_AT_ONCE])
            joined.flush()


def _write(target: Any, template: Any, rows: Any) -> None:
    where, _, name = template._v_pathname.rpartition("/")
    table = target.create_table(where, name, obj=rows, createparents=True)
    for key in template.attrs._f_list("user"):
        table.attrs[key] = template.attrs[key]


def _array_triggers(parts: Sequence[Any]) -> Any:
    """Unite the array triggers of the files: who triggered is collected, the first file gives the rest."""
    rows = np.concatenate(parts)
    order = np.argsort(rows["event_id"], kind="stable")
    rows = rows[order]
    first = np.concatenate([[True], rows["event_id"][1:] != rows["event_id"][:-1]])
    result = rows[first].copy()
    event = np.cumsum(first) - 1
    masks = np.zeros_like(result["tels_with_trigger"])
    np.logical_or.at(masks, event, rows["tels_with_trigger"])
    result["tels_with_trigger"] = masks
    return result


def _first_event(path: Path) -> tuple[int, str]:
    import tables

    with tables.open_file(path) as file:
        return int(file.root[_ARRAY_TRIGGERS].cols.event_id[0]), path.name


def _check_block(files: Sequence[EventFile]) -> None:
    import tables

    check_one_array(files)
    blocks: dict[int, Path] = {}
    for event_file in files:
        if event_file.simulated:
            raise CorruptedInput(
                "simulated events are not joined by telescope", path=event_file.path, next_step="merge them"
            )
        with tables.open_file(event_file.path) as file:
            for obs_id in np.unique(file.root[_ARRAY_TRIGGERS].col("obs_id")):
                blocks.setdefault(int(obs_id), event_file.path)
    if len(blocks) > 1:
        (first, _), (other, path) = sorted(blocks.items())[:2]
        raise CorruptedInput(
            f"observation block {other}, but another file has {first}",
            path=path,
            next_step="join the files of one observation block",
        )


def _sorted_copy(table: Any, order: Any) -> None:
    """Put a table with rows in another order in the place of a table."""
    file, (where, _, name) = table._v_file, table._v_pathname.rpartition("/")
    new = file.create_table(where, f"{name}_in_order", obj=table[:0])
    for key in table.attrs._f_list("user"):
        new.attrs[key] = table.attrs[key]
    for start in range(0, len(order), _ROWS_AT_ONCE):
        new.append(table.read_coordinates(order[start : start + _ROWS_AT_ONCE]))
    new.flush()
    table.remove()
    new.rename(name)


def _put_in_order(target: Any, paths: Sequence[Path]) -> None:
    """Sort the events of each telescope: parallel streams of one hold each a part of them."""
    for group in _EVENT_GROUPS:
        for table in list(_tables_below(target, group)):
            identifiers = table.col("event_id")
            order = np.argsort(identifiers, kind="stable")
            if (np.diff(identifiers[order]) == 0).any():
                raise CorruptedInput(
                    f"{table._v_pathname}: the same events are in several of the files "
                    f"{', '.join(path.name for path in paths)}",
                    path=paths[0],
                    next_step="give every stream and chunk of every telescope once",
                )
            if (np.diff(order) != 1).any():
                _sorted_copy(table, order)


def join_telescopes(paths: Sequence[Path], output: Path) -> int:
    """Join DL1 files of single telescopes, of their parallel streams and chunks.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Files of one observation block and array, in any order.
    output : pathlib.Path
        New file.

    Returns
    -------
    int
        Events of the array.

    Raises
    ------
    CorruptedInput
        If the files do not belong together, or events appear twice.
    MissingInput
        If a file is not there or holds no event.
    """
    import tables

    _check_block([read_event_file(path) for path in paths])
    ordered = sorted(paths, key=_first_event)
    array, telescopes = [], []
    with tables.open_file(output, "w", filters=tables.Filters(complevel=5, complib="blosc:zstd")) as target:
        for path in ordered:
            with tables.open_file(path) as source:
                _copy_once(source, target)
                _append(source, target, (*_EVENT_GROUPS, *_POINTINGS))
                array.append(source.root[_ARRAY_TRIGGERS][:])
                telescopes.append(source.root[_TELESCOPE_TRIGGERS][:])
        _put_in_order(target, ordered)
        rows = np.concatenate(telescopes)
        rows = rows[np.lexsort((rows["tel_id"], rows["event_id"]))]
        joined = _array_triggers(array)
        with tables.open_file(ordered[0]) as first:
            _write(target, first.root[_TELESCOPE_TRIGGERS], rows)
            _write(target, first.root[_ARRAY_TRIGGERS], joined)
            for key in first.root._v_attrs._f_list("user"):
                target.root._v_attrs[key] = first.root._v_attrs[key]
    return len(joined)


def run(arguments: Sequence[str]) -> None:
    """Join the files of a command line; a file that is there already is replaced when all is well."""
    import tables

    parser = StepParser(
        prog="dpps-datapipe join-telescopes",
        description="Join DL1 files of single telescopes and chunks of one observation block.",
    )
    parser.add_argument("files", type=Path, nargs="+", help="DL1 files (HDF5)")
    parser.add_argument("--output", type=Path, required=True, help="joined DL1 file")
    parser.add_argument("--provenance-log", type=Path, help="provenance record")
    options = parser.parse_args(arguments)
    logs = [] if options.provenance_log is None else [options.provenance_log]
    check_outputs([options.output, *logs], options.files)
    with Activity("dpps-datapipe-join-telescopes", vars(options), log=options.provenance_log) as activity:
        for path in options.files:
            activity.used(path, "telescope")
        with warnings.catch_warnings(), written_aside([options.output]) as names:
            # Names of the reference metadata have spaces.
            warnings.simplefilter("ignore", tables.NaturalNameWarning)
            n_events = join_telescopes(options.files, names[options.output])
        activity.generated(options.output, "array")
        sys.stdout.write(f"{options.output}: {n_events} events of {len(options.files)} files\n")
