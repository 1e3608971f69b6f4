"""Whether the scripts of a document can be parsed: asked of node itself, once for all of them.

cwltool's own check lints with rules of an old JavaScript and only logs what it finds; it starts three
processes for each document.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dpps.adapters.cwltool.programs import programs

__all__ = ["ScriptError", "check_scripts", "scripts_of"]

_JAVASCRIPT = "InlineJavascriptRequirement"
_LIBRARY = "expressionLib"
_NOT_EVALUATED = frozenset({"class", "default", "doc", "id", "intent", "label", "name", "$namespaces"})
_SECONDS = 60.0
_PARSE = """
const { Script } = require("vm");
const wrong = [];
for (const code of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
  try { new Script(code); } catch (error) { wrong.push([code, String(error)]); }
}
process.stdout.write(JSON.stringify(wrong));
"""


class ScriptError(Exception):
    """Scripts that cannot be parsed, or nothing that could parse them."""


def scripts_of(document: Mapping[str, Any]) -> frozenset[str]:
    """Return the scripts of a packed document, as they are evaluated; references to parameters are none.

    Raises
    ------
    SubstitutionError
        When a bracket of an expression is not closed.
    """
    if not _needs_javascript(document):
        return frozenset()
    return frozenset(_scripts(document))


def _needs_javascript(part: object) -> bool:
    if isinstance(part, Mapping):
        if part.get("class") == _JAVASCRIPT or _JAVASCRIPT in part:
            return True
        return any(map(_needs_javascript, part.values()))
    return isinstance(part, list) and any(map(_needs_javascript, part))


def _scripts(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield from _expressions(part)
    elif isinstance(part, list):
        for item in part:
            yield from _scripts(item)
    elif isinstance(part, Mapping):
        for key, value in part.items():
            if key == _LIBRARY and isinstance(value, list):
                yield from (code for code in value if isinstance(code, str))
            elif key not in _NOT_EVALUATED:
                yield from _scripts(value)


def _expressions(text: str) -> Iterator[str]:
    from cwl_utils.expression import scanner
    from cwl_utils.sandboxjs import code_fragment_to_js, param_re

    rest = text.strip()
    while found := scanner(rest):
        begin, end = found
        fragment = rest[begin + 1 : end]
        if rest[begin] == "$" and not param_re.match(fragment):
            yield code_fragment_to_js(fragment)
        rest = rest[end:]


def check_scripts(scripts: Sequence[str]) -> None:
    """Have node parse scripts, without running them.

    Raises
    ------
    ScriptError
        Naming the scripts that cannot be parsed, or when there is no node.
    """
    with programs(()):
        node = shutil.which("node") or shutil.which("nodejs")
        if node is None:
            raise ScriptError("its scripts need node, which this environment lacks: make setup")
        parsed = subprocess.run(
            [node, "--eval", _PARSE],
            input=json.dumps(scripts),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    if parsed.returncode != 0:
        raise ScriptError(f"node could not look at its scripts: {parsed.stderr.strip()[-500:]}")
    wrong = json.loads(parsed.stdout)
    if wrong:
        raise ScriptError("\n".join(f"{why} in the script {_shown(code)}" for code, why in wrong))


def _shown(code: str) -> str:
    """Return a script without what surrounds it for its evaluation."""
    head, tail = '"use strict";\n\n(function()', ")()"
    body = code.removeprefix(head).removesuffix(tail) if code.startswith(head) else code
    return " ".join(body.split())
