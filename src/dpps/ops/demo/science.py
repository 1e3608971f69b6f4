"""What came out of the night: response beside prod5, spectrum beside the injected one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpps.ops.demo.night import Night
from dpps.ops.demo.processing import Published
from dpps.ops.demo.programs import run_program
from dpps.ops.demo.record import Picture

__all__ = ["Science", "show_science"]

_ARRAY = "4 LST, simulated"
_SHOWN = ("irf", "spectrum", "theta_squared_plot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Science:
    """Pictures and figures of the night's result."""

    pictures: tuple[Picture, ...]
    result: dict[str, Any]
    """Of ``dpps-science compare``: parameters with pulls, counts, live time, fraction of background."""


def show_science(
    published: Sequence[Published], night: Night, fetch: Callable[[str], Path], folder: Path
) -> Science:
    """Retrieve response, spectrum and its pictures, and compare them with prod5 and the truth.

    Parameters
    ----------
    published : sequence of Published
        Products of the production.
    night : Night
        With the injected spectrum.
    fetch : callable
        Retrieves a product by name, returns its path.
    folder : Path
        Of the pictures.

    Raises
    ------
    DppsError
        When a product cannot be had, or drawing fails.
    """
    by_output = {one.output: fetch(one.lfn) for one in published if one.output in _SHOWN}
    curves, spectrum = folder / "response.png", folder / "spectrum.png"
    folder.mkdir(parents=True, exist_ok=True)
    run_program(
        "dpps-datapipe",
        *("compare-irf", by_output["irf"], "--plot", curves, "--title", _ARRAY),
        what="drawing the response",
    )
    printed = run_program(
        "dpps-science",
        *("compare", by_output["spectrum"], "--injected", night.description, "--plot", spectrum, "--json"),
        what="comparing the spectrum with the injected one",
    )
    result: dict[str, Any] = json.loads(printed)
    background = f"cosmic rays thinned to {result['background_fraction']:g} of the real flux"
    pictures = (
        Picture(
            title="Spectrum.",
            caption=f"Fitted from the archived event lists, and what was injected (simulated; {background}).",
            png=spectrum.read_bytes(),
        ),
        Picture(
            title="Squared distances from the source.",
            caption=(
                "On the source and at its mirror image behind the pointing (simulated; "
                f"{background}: a real night has more background)."
            ),
            png=by_output["theta_squared_plot"].read_bytes(),
        ),
        Picture(
            title="Response.",
            caption=(
                "Made from this demo's own simulations of four LSTs, beside the official prod5 response of a "
                "larger array (4 LST and 9 MST; CC BY 4.0): areas of four telescopes are smaller, and few "
                "showers make the points scatter."
            ),
            png=curves.read_bytes(),
        ),
    )
    return Science(pictures=pictures, result=result)
