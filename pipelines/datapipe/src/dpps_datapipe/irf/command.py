"""``dpps-datapipe check-irf``."""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from dpps.domain.steps import InsufficientStatistics, StepParser
from dpps_datapipe.irf.check import check_response
from dpps_datapipe.irf.claims import claimed
from dpps_datapipe.irf.findings import Finding, Limits
from dpps_datapipe.irf.reading import ResponseFile, read_response
from dpps_datapipe.outputs import check_outputs, written_aside
from dpps_datapipe.provenance import Activity

__all__ = ["refusal", "run"]


def _parser() -> StepParser:
    parser = StepParser(
        prog="dpps-datapipe check-irf",
        description=(
            "Check that the statistics behind a response bear what it claims. Exit code 0: they do; "
            "106: they do not, the bins are named; 104: the file is damaged; 105: it is not there."
        ),
    )
    parser.add_argument("file", type=Path, help="response (FITS, plain or gzipped)")
    parser.add_argument("--energy-min", type=float, metavar="TEV", help="claimed range (default: the file's)")
    parser.add_argument("--energy-max", type=float, metavar="TEV")
    parser.add_argument("--offset-max", type=float, metavar="DEG")
    parser.add_argument(
        "--max-relative-error",
        type=float,
        default=Limits().max_relative_error,
        help="of a bin: 1/sqrt(distinct showers) (default: %(default)s)",
    )
    parser.add_argument(
        "--needs-statistics",
        action="store_true",
        help="refuse a file that does not say how many showers its bins rest on",
    )
    parser.add_argument("--plot", type=Path, help="draw the curves into this picture")
    parser.add_argument(
        "--report", type=Path, help="write the answer (JSON) into this file, also of a refusal"
    )
    parser.add_argument("--provenance-log", type=Path, help="provenance record of this check")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


def refusal(file: ResponseFile, findings: Sequence[Finding]) -> InsufficientStatistics:
    """Make the error of a response that is refused.

    Parameters
    ----------
    file : ResponseFile
        The response.
    findings : sequence of Finding
        At least one of them refuses.

    Returns
    -------
    InsufficientStatistics
        Names the file, the HDUs and the bins with their edges.
    """
    reasons = [str(finding) for finding in findings if finding.refuses]
    return InsufficientStatistics(
        "the response is refused: " + " | ".join(reasons),
        path=file.path,
        next_step="simulate more showers there, take wider bins, or claim a smaller range",
    )


def _finite(value: float | None) -> float | None:
    """JSON has neither infinity nor what is not a number."""
    return value if value is not None and math.isfinite(value) else None


def _answer(file: ResponseFile, limits: Limits, findings: Sequence[Finding]) -> dict[str, object]:
    refused = any(finding.refuses for finding in findings)
    return {
        "file": str(file.path),
        "accepted": not refused,
        "claimed": {
            "energy_min_tev": _finite(limits.energy_min_tev),
            "energy_max_tev": _finite(limits.energy_max_tev),
            "offset_max_deg": _finite(limits.offset_max_deg),
            "background": limits.claims_background,
        },
        "max_relative_error": limits.max_relative_error,
        "min_showers": limits.min_showers,
        "findings": [finding.as_dict() for finding in findings],
    }


def _sentence(answer: dict[str, object], findings: Sequence[Finding]) -> str:
    lines = [f"{answer['file']}: {'accepted' if answer['accepted'] else 'refused'}"]
    lines += [f"  {'refused' if finding.refuses else 'note'}: {finding}" for finding in findings]
    return "\n".join(lines) + "\n"


def run(arguments: Sequence[str]) -> None:
    """Check a response file.

    Raises
    ------
    InsufficientStatistics
        If the response is refused.
    CorruptedInput, MissingInput, ConfigurationError
        If it cannot be read, is not there, or the command line is wrong.
    """
    options = _parser().parse_args(arguments)
    written = (options.plot, options.report, options.provenance_log)
    check_outputs([path for path in written if path is not None], [options.file])
    with Activity("dpps-datapipe-check-irf", vars(options), log=options.provenance_log) as activity:
        file = read_response(options.file)
        activity.used(options.file, "response")
        limits = claimed(
            file,
            Limits(
                energy_min_tev=options.energy_min,
                energy_max_tev=options.energy_max,
                offset_max_deg=options.offset_max,
                max_relative_error=options.max_relative_error,
                needs_statistics=options.needs_statistics,
            ),
        )
        findings = check_response(file, limits)
        answer = _answer(file, limits, findings)
        if options.plot is not None:
            from dpps_datapipe.irf.plots import plot_response

            with written_aside([options.plot]) as names:
                plot_response(file, names[options.plot])
            activity.generated(options.plot, "plot")
        if options.report is not None:
            with written_aside([options.report]) as names:
                names[options.report].write_text(json.dumps(answer, indent=2) + "\n", encoding="utf-8")
            activity.generated(options.report, "report")
        sys.stdout.write(json.dumps(answer) + "\n" if options.json else _sentence(answer, findings))
        if not answer["accepted"]:
            raise refusal(file, findings)
