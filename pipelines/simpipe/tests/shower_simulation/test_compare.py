"""The comparison with real simulation: its sums, and (where the files are) the files themselves."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from dpps_simpipe.compare.campaign import compare
from dpps_simpipe.compare.corsika import compare_corsika_event, read_corsika
from dpps_simpipe.compare.real import read_simtel
from dpps_simpipe.compare.report import draw, summarise, table
from dpps_simpipe.compare.times import compare_times

from dpps.domain.errors import Conflict, DamagedFile, NotFound

#: Folder with ``simtel`` and ``corsika``; the files are not part of the repository.
REAL_DATA = os.environ.get("DPPS_REAL_SIMULATION", "")


def _row(event: str, tel_id: int, **changes: object) -> dict[str, object]:
    image = {"width": 0.1, "length": 0.2, "size": 100.0}
    row: dict[str, object] = {
        "event": event, "is_current": True, "primary": "gamma", "energy_tev": 1.0, "tel_id": tel_id,
        "kind": "LST", "impact_m": 100.0, "photons_real": 1000.0, "photons_ours": 500.0,
        "photons_spread": 50.0, "photoelectrons_real": 80, "photoelectrons_ours": 80.0,
        "photoelectrons_spread": 9.0, "triggered_real": True, "triggered_ours": 0.5,
        "image_real": image, "image_ours": image, "image_spread": image,
        "trigger_time": {"real": 3.0, "deviation": 1.0, "spread": 2.0},
    }  # fmt: skip
    return {**row, **changes}


def test_sums_of_a_comparison(tmp_path: Path) -> None:
    rows = [
        _row("gamma_prod6-1", 1),
        _row("gamma_prod6-1", 2, photons_ours=1000.0),
        _row("other-2", 1, photons_ours=2000.0),
        _row("other-3", 1, photons_ours=500.0, photoelectrons_real=3),
    ]
    spheres = [
        {"event": "c-1", "impact_m": 50.0, "photons_real": 90.0, "photons_ours": 100.0, "photons_spread": 5.0}
    ]
    summary = summarise(rows, spheres, ["gamma_prod6"])
    calibration, check = summary["halves"]["calibration"], summary["halves"]["check"]
    assert calibration["photons"]["ratio"] == pytest.approx(math.sqrt(2.0))
    assert calibration["photons"]["events"] == 1
    assert check["photons"]["ratio"] == pytest.approx(1.0)
    # The faint telescope says nothing about the efficiency.
    assert check["LST"]["photoelectrons_per_photon"]["telescopes"] == 1
    assert check["LST"]["photoelectrons_per_photon"]["ratio"] == pytest.approx(2.0)
    assert check["LST"]["triggers_ours"] == 1.0
    assert summary["events"]["other-2"]["images"]["LST"]["width"]["ratio"] == pytest.approx(1.0)
    assert summary["corsika"]["photons"]["ratio"] == pytest.approx(0.9)
    text = table(summary)
    assert "check: LST: width" in text
    assert check["LST"]["trigger_times_ns"] == {
        "real": 3.0, "deviation": 1.0, "spread": 2.0, "events": 2, "telescopes": 2
    }  # fmt: skip
    assert "trigger times within a type" in text
    draw(rows, spheres, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_trigger_times_are_compared_within_what_both_saw() -> None:
    real = {1: 10.0, 2: 4.0, 3: 1.0, 4: 0.0}
    # The clocks of the two simulations begin anywhere; the third telescope is 3 ns late in the real event.
    ours = [{1: 110.0 + late, 2: 104.0 - late, 3: 98.0} for late in (-0.5, 0.0, 0.5)]
    ours += [{1: 50.0, 9: 80.0}, {}]
    found = compare_times(real, ours)
    assert sorted(found) == [1, 2, 3]
    assert found[3].deviation == pytest.approx(2.0)
    assert found[1].deviation == pytest.approx(-1.0)
    assert found[1].real == pytest.approx(10.0 - 3.75)
    assert found[1].spread == pytest.approx(0.5)
    assert found[3].spread == pytest.approx(0.0)
    assert compare_times({}, ours) == {}


def test_files_that_are_not_there_or_broken(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.simtel"):
        read_simtel(tmp_path / "gone.simtel")
    with pytest.raises(NotFound, match=r"gone\.dat"):
        read_corsika(tmp_path / "gone.dat")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NotFound, match="no files to compare"):
        compare(empty, None, tmp_path / "out")
    broken = tmp_path / "broken.simtel"
    broken.write_bytes(b"no eventio at all" * 10)
    with pytest.raises(DamagedFile, match=r"broken\.simtel"):
        read_simtel(broken)


def test_a_comparison_with_other_settings_is_not_continued(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"showers": 1, "seed": 1}), encoding="utf-8")
    with pytest.raises(Conflict, match="other settings"):
        compare(tmp_path, None, tmp_path, showers=2)


@pytest.mark.skipif(not REAL_DATA, reason="needs the folder of real simulation in DPPS_REAL_SIMULATION")
def test_light_of_corsika_gammas() -> None:
    atmosphere, level, events = read_corsika(Path(REAL_DATA) / "corsika" / "lsts_v036.corsika.zst")
    rows = [
        row
        for event in events[:6]
        for row in compare_corsika_event(event, atmosphere, level, showers=10, seed=1)
    ]
    ratio = np.exp(np.mean([math.log(row.photons_real / row.photons_ours) for row in rows]))
    assert ratio == pytest.approx(1.0, abs=0.25)
