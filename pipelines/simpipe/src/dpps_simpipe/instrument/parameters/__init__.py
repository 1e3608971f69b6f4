"""Parameters of the instrument and site model: definitions, values in simtools' JSON form, tables."""

from dpps_simpipe.instrument.parameters.definitions import Definition, definition_of, definitions
from dpps_simpipe.instrument.parameters.records import (
    Parameter,
    UnknownParameter,
    file_names,
    parse_parameter,
    read_documents,
)
from dpps_simpipe.instrument.parameters.tables import check_table, column

__all__ = [
    "Definition",
    "Parameter",
    "UnknownParameter",
    "check_table",
    "column",
    "definition_of",
    "definitions",
    "file_names",
    "parse_parameter",
    "read_documents",
]
