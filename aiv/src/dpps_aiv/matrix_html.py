"""The matrix as one self-contained page."""

from dpps_aiv.matrix import Matrix, Row, Verdict
from dpps_aiv.matrix_text import count_of_tests


def matrix_as_html(matrix: Matrix, title: str) -> str:
    """Give the page: no scripts or styles from elsewhere, everything escaped."""
    # Here, not above: the other outputs need no templates.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dpps_aiv"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("matrix.html").render(
        title=title,
        matrix=matrix,
        verdicts=list(Verdict),
        subsystems=_by_subsystem(matrix),
        count_of_tests=count_of_tests,
    )


def _by_subsystem(matrix: Matrix) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in sorted(matrix.rows, key=lambda row: row.subsystem):
        grouped.setdefault(row.subsystem, []).append(row)
    return grouped
