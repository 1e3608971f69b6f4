"""Tables of protocol buffers in compressed FITS files (zfits), written with ``protozfits``."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpps_simpipe.streams.block import StreamBlock, StreamIdentity
from dpps_simpipe.streams.files import published, verify
from dpps_simpipe.streams.headers import product_header

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from protozfits import FlatProtobufZOFits

__all__ = ["clock", "write_tables"]

_CARD_CHARACTERS = 80
_NANOSECONDS, _QUARTERS = 1_000_000_000, 4
#: Rows that are compressed together, and the least size of the table of such tiles. The writer cuts a file
#: whose tiles do not fit into that table.
_ROWS_PER_TILE, _FEWEST_TILES = 10, 20


def clock(block_start_tai: int, quarter_nanoseconds: int) -> tuple[int, int]:
    """Give the time of a stream.

    Parameters
    ----------
    block_start_tai : int
        Start of the block in TAI seconds since 1970.
    quarter_nanoseconds : int
        Time after it, in quarters of ns.

    Returns
    -------
    tuple of int
        TAI seconds since 1970 and the quarters of nanoseconds in the second.
    """
    seconds, quarters = divmod(quarter_nanoseconds, _NANOSECONDS * _QUARTERS)
    return block_start_tai + seconds, quarters


def _set_card(writer: "FlatProtobufZOFits", keyword: str, value: Any, comment: str) -> None:
    """Put one card in the primary header, through the writer's function for its type.

    The writer fails on a card of more than 80 characters: comments are cut.
    """
    room = _CARD_CHARACTERS - max(len(keyword), 8) - len(f"= {str(value)!r:<20} / ")
    comment = comment[: max(room, 0)]
    if isinstance(value, bool):
        writer.set_primary_bool(keyword, value, comment)
    elif isinstance(value, int):
        writer.set_primary_int(keyword, value, comment)
    elif isinstance(value, float):
        writer.set_primary_float(keyword, value, comment)
    elif keyword.startswith("CTAO "):
        writer.set_primary_hierarch_string(keyword, str(value), comment)
    else:
        writer.set_primary_string(keyword, str(value), comment)


def _begin_table(writer: "FlatProtobufZOFits", name: str, block: StreamBlock, title: str) -> None:
    """Begin a table whose header says what it is and when it was taken."""
    writer.move_to_new_table(name)
    writer.set_string("TITLE", title, "Content of the file")
    writer.set_string("ORIGIN", block.origin, "Institution that wrote the file")
    writer.set_string("DATE", f"{block.start:%Y-%m-%dT%H:%M:%S}", "Start")
    writer.set_string("DATE-END", f"{block.end:%Y-%m-%dT%H:%M:%S}", "End")


def _begun(messages: "Iterable[Message]") -> "Iterator[Message]":
    """Let the first row be made now, the others when they are asked for."""
    rows = iter(messages)
    return chain(list(islice(rows, 1)), rows)


def _write_rows(writer: "FlatProtobufZOFits", messages: "Iterable[Message]") -> tuple[int, Exception | None]:
    """Write messages and count them; an error of who makes them is handed back.

    The writer must be closed properly before such an error goes further: it does not survive one.
    """
    count = 0
    try:
        for message in messages:
            writer.write_message(message)
            count += 1
    except Exception as error:
        return count, error
    return count, None


def write_tables(
    path: Path,
    block: StreamBlock,
    identity: StreamIdentity,
    tables: "Sequence[tuple[str, Iterable[Message]]]",
    n_rows: int,
) -> None:
    """Write tables, in order, in one zfits file that appears when it is complete.

    Parameters
    ----------
    path : pathlib.Path
        The file, which must not exist; its folder is made.
    block : StreamBlock
        The observation block.
    identity : StreamIdentity
        What the file is.
    tables : sequence of tuple
        Names and rows; the rows are read one by one.
    n_rows : int
        Rows of the longest table.

    Raises
    ------
    Conflict
        If `path` exists.
    StorageFull
        If the file does not read back as it was written.
    """
    from protozfits import FlatProtobufZOFits

    header = product_header(block, identity)
    # A writer that is closed with a begun and empty table may end the process: first rows come before it.
    begun = [(name, _begun(messages)) for name, messages in tables]
    tiles = max(_FEWEST_TILES, -(-n_rows // _ROWS_PER_TILE))
    written: dict[str, int] = {}
    failure: Exception | None = None
    with published(path) as temporary:
        with FlatProtobufZOFits(
            n_tiles=tiles, rows_per_tile=_ROWS_PER_TILE, compression_block_size_kb=4096
        ) as writer:
            writer.open(str(temporary))
            for card in header.cards:
                _set_card(writer, card.keyword, card.value, card.comment)
            for name, messages in begun:
                _begin_table(writer, name, block, identity.title)
                if name == "Events":
                    writer.request_explicit_compression("waveform", "zstd1")
                written[name], failure = _write_rows(writer, messages)
                if failure is not None:
                    break
        if failure is not None:
            raise failure
        verify(temporary, written)
