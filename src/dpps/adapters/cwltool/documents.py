"""Reading CWL documents: validation and packing by cwltool, description from the packed form."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from dpps.adapters.cwltool.scripts import ScriptError, check_scripts, scripts_of
from dpps.domain.errors import InvalidInput
from dpps.workload.ports import Parameter, ProcessDescription

__all__ = ["CwltoolProcesses"]

_MESSAGE_LINES = 12
_CLASSES = frozenset({"CommandLineTool", "Workflow", "ExpressionTool"})


class CwltoolProcesses:
    """CWL v1.0 to v1.2 documents. Scripts that it has checked once are not checked again."""

    def __init__(self) -> None:
        self._checked: set[str] = set()

    def pack(self, path: Path) -> dict[str, Any]:
        """Validate a document and return it with everything that it refers to."""
        from cwl_utils.errors import JavascriptException, SubstitutionError
        from cwltool.context import LoadingContext
        from cwltool.errors import GraphTargetMissingException, UnsupportedRequirement, WorkflowException
        from cwltool.load_tool import fetch_document, make_tool, resolve_and_validate_document
        from cwltool.pack import pack
        from cwltool.workflow import default_make_tool
        from schema_salad.exceptions import SchemaSaladException

        logging.getLogger("cwltool").setLevel(logging.ERROR)
        context = LoadingContext(
            {
                "construct_tool_object": default_make_tool,
                "do_update": False,
                "disable_js_validation": True,  # its findings are warnings only: see `check_scripts`
            }
        )
        try:
            context, document, uri = fetch_document(path.resolve().as_uri(), context)
            context, uri = resolve_and_validate_document(context, document, uri)
            packed = json.loads(json.dumps(pack(context, uri), default=str))
            # Building the tool finds what the schema cannot: wrong sources, unsupported requirements.
            context.do_update = True
            make_tool(resolve_and_validate_document(context, document, uri)[1], context)
            self._check_scripts(packed)
        except (
            GraphTargetMissingException,
            JavascriptException,
            SchemaSaladException,
            ScriptError,
            SubstitutionError,
            UnsupportedRequirement,
            WorkflowException,
            OSError,
            StopIteration,  # raised by cwltool for a document without content
            ValueError,  # … for one that is no text, or no mapping
        ) as wrong:
            raise _invalid(
                str(path), str(wrong) or "it, or a document that it refers to, is empty"
            ) from wrong
        graph = packed.get("$graph", [])
        if len(graph) == 1:
            return {"cwlVersion": packed["cwlVersion"], **graph[0]}
        return cast("dict[str, Any]", packed)

    def _check_scripts(self, packed: Mapping[str, Any]) -> None:
        new = scripts_of(packed) - self._checked
        if new:
            check_scripts(sorted(new))
            self._checked |= new

    def describe(self, process: Mapping[str, Any]) -> ProcessDescription:
        """Return the inputs and outputs of a packed document."""
        main = _main(process)
        if main is None or main.get("class") not in _CLASSES:
            raise _invalid("the document", "it is no packed CWL process")
        _check_points_nowhere(process)
        return ProcessDescription(
            label=str(main.get("label", "")),
            inputs=dict(_parameters(main.get("inputs", []), process)),
            outputs=dict(_parameters(main.get("outputs", []), process)),
        )


def _check_points_nowhere(part: object) -> None:
    """Refuse what a worker would have to fetch: a packed document is complete in itself."""
    if isinstance(part, list):
        for item in part:
            _check_points_nowhere(item)
    if not isinstance(part, Mapping):
        return
    outside = [part[key] for key in ("$import", "$include", "$mixin") if key in part]
    if isinstance(run := part.get("run"), str) and not run.startswith("#"):
        outside.append(run)
    if part.get("class") in ("File", "Directory"):
        outside += [part[key] for key in ("location", "path") if key in part]
    if outside:
        raise _invalid(
            "the document", f"it points outside, to {outside[0]}; give files as parameters or inputs"
        )
    for item in part.values():
        _check_points_nowhere(item)


def _main(process: Mapping[str, Any]) -> Mapping[str, Any] | None:
    graph = process.get("$graph")
    if graph is None:
        return process
    return next((part for part in graph if str(part.get("id", "")).lstrip("#") == "main"), None)


def _parameters(
    given: Sequence[Any] | Mapping[str, Any], process: Mapping[str, Any]
) -> Iterator[tuple[str, Parameter]]:
    entries = (
        [
            {"id": name, **(entry if isinstance(entry, Mapping) else {"type": entry})}
            for name, entry in given.items()
        ]
        if isinstance(given, Mapping)
        else given
    )
    for entry in entries:
        name = str(entry["id"]).rsplit("#", 1)[-1].rsplit("/", 1)[-1]
        yield (
            name,
            Parameter(
                types=frozenset(_types(entry.get("type"))),
                has_default="default" in entry,
                formats=_formats(entry.get("format"), process),
            ),
        )


def _formats(given: object, process: Mapping[str, Any]) -> frozenset[str]:
    """Return the formats that a document states.

    None where it computes one, or names ontologies: formats of other names may then be meant, too.
    """
    named = [str(one) for one in given] if isinstance(given, list) else [str(given)] if given else []
    if "$schemas" in process or any(mark in one for one in named for mark in ("$(", "${")):
        return frozenset()
    namespaces: Mapping[str, str] = process.get("$namespaces", {})
    return frozenset(_expanded(one, namespaces) for one in named)


def _expanded(name: str, namespaces: Mapping[str, str]) -> str:
    prefix, colon, rest = name.partition(":")
    return f"{namespaces[prefix]}{rest}" if colon and prefix in namespaces else name


def _types(given: object) -> Iterator[str]:
    """Return the names of the types that a CWL type expression allows."""
    if isinstance(given, str):
        if given.endswith("?"):
            yield "null"
            given = given.removesuffix("?")
        yield {"stdout": "File", "stderr": "File"}.get(given, given)
    elif isinstance(given, list):
        for alternative in given:
            yield from _types(alternative)
    elif isinstance(given, Mapping):
        if given.get("type") == "array":
            yield from (f"{item}[]" for item in _types(given.get("items")))
        else:
            yield from _types(given.get("type"))


def _invalid(what: str, why: str) -> InvalidInput:
    lines = [line.rstrip() for line in why.splitlines() if line.strip()]
    shown = "\n".join(lines[:_MESSAGE_LINES])
    return InvalidInput(
        f"{what} is not a CWL document that can run here:\n{shown}",
        code="cwl-invalid",
        next_step="correct it until this passes: cwltool --validate <document>",
        path=what,
    )
