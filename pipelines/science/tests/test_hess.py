"""The public H.E.S.S. runs on the Crab Nebula give the published spectrum."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from dpps_science.extraction import extract
from dpps_science.fitting import fit
from dpps_science.observations import common_target, read_event_lists
from dpps_science.selection import choose_selection

DATA = Path(__file__).parents[4] / "shared" / "data" / "dl3-hess"


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the H.E.S.S. public data beside the checkout")
def test_the_crab_nebula_of_hess_agrees_with_the_publication() -> None:
    """Same events, other software: each parameter within one published error.

    The region and the lowest energy of the publication (0.11 degrees, 0.66 TeV) are given; the published beta
    goes with the decimal logarithm.
    """
    published = {
        one["name"]: (one["value"], one["error"])
        for one in yaml.safe_load((DATA / "published_fit.yaml").read_text())["parameters"]
    }
    lists = read_event_lists(sorted((DATA / "data").glob("*.fits.gz")))
    selection = choose_selection(
        lists, common_target(lists), radius_deg=0.11, energy_min_tev=0.66, energy_max_tev=30.0
    )
    fitted = fit(extract(lists, selection), selection, "log-parabola", 1.0)
    scale = {"beta": np.log(10.0)}
    for name, value in zip(fitted.names, fitted.values, strict=True):
        truth, error = published[name]
        assert abs(value * scale.get(name, 1.0) - truth) < error, name
