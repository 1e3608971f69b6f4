"""New versions of the model: parameter files and single values, taken over or refused by name; export."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from dpps_simpipe.atmosphere import built_in_atmosphere, load_atmosphere
from dpps_simpipe.instrument import load_array, load_model
from dpps_simpipe.instrument.exporting import export_parameters
from dpps_simpipe.instrument.importing import ImportReport, NewVersion, import_parameters
from dpps_simpipe.instrument.store import InstrumentModel
from dpps_simpipe.instrument.submitting import submit_parameter
from dpps_simpipe.service_data import write_service_data

from dpps.domain.errors import Conflict, DppsError, InvalidInput, NotFound

EXAMPLE = Path(__file__).with_name("example_parameters")
TOLD = NewVersion(
    version="9.0.0", source="made for tests", released=date(2026, 11, 21), valid_from=date(2026, 1, 1)
)

TOLD_AGAIN = NewVersion(version="9.1.0", source="again", released=TOLD.released, valid_from=TOLD.valid_from)
NSB = "LSTN-design/nsb_pixel_rate/nsb_pixel_rate-2.0.0.json"
QE = "LSTN-design/quantum_efficiency/quantum_efficiency-2.0.0.ecsv"


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A copy of the example files, to be damaged."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "given"))


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _import(folder: Path, output: Path) -> tuple[InstrumentModel, ImportReport]:
    return import_parameters(folder, output, load_model(), TOLD)


def test_import_reports_what_became_of_each_file(tmp_path: Path) -> None:
    made, report = _import(EXAMPLE, tmp_path / "made")
    assert report.converted == ["LSTN-design/focal_length: 28.01 m is 2801 cm"]
    assert report.unused == ["LSTN-design/asum_threshold"]
    assert report.older == ["LSTN-design/nsb_pixel_rate 1.5.0"]
    assert report.unknown == ["LSTN-design/colour_of_the_paint"]
    assert "LSTN-design/nsb_pixel_rate: 0.2336 -> 0.25" in report.changed
    assert {"LSTN-01/design_model", "OBS-North/geomag_horizontal", "LSTN-design/mirror_area"} <= set(
        report.kept
    )
    assert len(report.imported) == 7
    lst, other = load_array("ctao-north-lst", made.folder).telescopes[:2]
    assert (lst.kind.focal_length_m, lst.kind.effective_focal_length_m) == (28.01, 29.306)
    assert (lst.position_m, other.position_m) == ((-70.99, -52.08, 45.3), (-35.28, 65.92, 32.5))
    efficiency = load_array("ctao-north-lst", made.folder).efficiencies["LSTCam"]
    assert np.interp(450.0, efficiency.wavelength, efficiency.quantum_efficiency) == pytest.approx(0.35)
    elements = write_service_data("ctao-north-lst1", tmp_path, made.folder) / "array-elements"
    assert "effective_focal_length: 29.306" in (elements / "001/001.tel_optics.ecsv").read_text()
    assert made.source("LSTN-design", "nsb_pixel_rate") == "made for tests"
    assert made.source("LSTN-design", "mirror_area") == load_model().source("LSTN-design", "mirror_area")
    assert (made.version, made.valid_from, made.valid_until) == ("9.0.0", date(2026, 1, 1), None)


def test_export_gives_back_what_was_imported(tmp_path: Path) -> None:
    made, _ = _import(EXAMPLE, tmp_path / "made")
    written, left = export_parameters(made, tmp_path / "out")
    assert (written + left, left) == (
        273,
        len([one for one in made.parameters.values() if one.definition.origin == "dpps"]),
    )
    folder = tmp_path / "out/simulation-models/model_parameters"
    for path in EXAMPLE.rglob("*-2.0.0.json"):
        name = path.relative_to(EXAMPLE)
        before, after = json.loads(path.read_text()), json.loads((folder / name).read_text())
        if "focal_length" not in path.name:
            assert (after["value"], after["site"], after["type"]) == (
                before["value"],
                before["site"],
                before["type"],
            )
    assert (
        json.loads((folder / "LSTN-design/focal_length/focal_length-2.0.0.json").read_text())["value"]
        == 2801.0
    )
    again, report = import_parameters(tmp_path / "out", tmp_path / "again", made, TOLD_AGAIN)
    assert (report.changed, report.converted, len(report.imported)) == ([], [], written)
    export_parameters(again, tmp_path / "second")
    second = tmp_path / "second/simulation-models/model_parameters"
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert all((folder / name).read_bytes() == (second / name).read_bytes() for name in files)


NSB = "LSTN-design/nsb_pixel_rate/nsb_pixel_rate-2.0.0.json"
QE = "LSTN-design/quantum_efficiency/quantum_efficiency-2.0.0.ecsv"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": "kg"}, "has the unit kg, which does not convert to GHz"),
        ({"unit": None}, "has the unit none, not GHz"),
        ({"unit": "furlong"}, "has the unit furlong"),
        ({"value": -0.1}, "is -0.1 GHz, outside of 0 to"),
        ({"value": "0.25"}, "is '0.25', not a finite number"),
        ({"value": True}, "not a finite number"),
        ({"value": [0.2, 0.3]}, "has 2 values, not 1"),
        ({"value": []}, "has 0 values, not 1"),
        ({"value": 10**400}, "not a finite number"),
        ({"instrument": "../etc"}, "the instrument's name"),
        ({"instrument": "MSTN-\u0663\u0663"}, "the instrument's name"),
        ({"instrument": "MSTN-01"}, "holds a parameter of MSTN-01"),
        ({"parameter_version": "2.1.0"}, "holds nsb_pixel_rate 2.1.0"),
        ({"parameter_version": "two"}, "parameter_version is not like 1.0.0"),
        ({"parameter_version": f"{'9' * 5000}.0.0"}, "parameter_version is not like 1.0.0"),
        ({"parameter": ["nsb_pixel_rate"]}, "the parameter's name"),
        ({"site": "East"}, "site is not North or South"),
        ({"comment": "x"}, "unknown key comment"),
    ],
)
def test_wrong_values_are_refused_by_name(
    given: Path, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    _edit(given / NSB, **changes)
    with pytest.raises(InvalidInput, match="nsb_pixel_rate") as caught:
        _import(given, tmp_path / "made")
    assert words in caught.value.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("0.42", "1.42", "column efficiency has values outside of 0 to 1"),
        ("0.42", "nan", "does not hold finite numbers"),
        ("unit: um", "unit: kg", "column wavelength has the unit kg"),
        ("efficiency", "percent", "no column efficiency"),
        ("0.35 0.42", "0.25 0.42", "wavelengths do not grow"),
        ("# %ECSV 1.0", "no table", "is no ECSV table"),
        ("0.28 0.2\n0.35 0.42\n0.45 0.35\n0.6 0.05\n", "", "the table is empty"),
        ("0.28 0.2\n0.35 0.42\n0.45 0.35\n0.6 0.05\n", "1.28 0.2\n1.3 0.2\n", "do not overlap"),
    ],
)
def test_wrong_tables_are_refused_by_name(
    given: Path, tmp_path: Path, before: str, after: str, words: str
) -> None:
    path = given / QE
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(InvalidInput, match="quantum_efficiency") as caught:
        _import(given, tmp_path / "made")
    assert words in caught.value.message
    assert not (tmp_path / "made").exists()


def _remove_table(folder: Path) -> None:
    (folder / QE).unlink()


def _link_table(folder: Path) -> None:
    (folder / QE).unlink()
    (folder / QE).symlink_to("/etc/hostname")


def _name_outside(folder: Path) -> None:
    _edit(folder / QE.replace(".ecsv", ".json"), value="../../../secret.ecsv")


def _contradict(folder: Path) -> None:
    other = folder / "elsewhere.json"
    shutil.copy(folder / NSB, other)
    _edit(other, value=0.3)


def _contradict_the_optics(folder: Path) -> None:
    _edit(folder / "LSTN-design/focal_length/focal_length-2.0.0.json", value=20.0)


def _truncate(folder: Path) -> None:
    (folder / NSB).write_text((folder / NSB).read_text()[:40])


def _stand_on_another(folder: Path) -> None:
    path = folder / "LSTN-01/array_element_position_ground/array_element_position_ground-2.0.0.json"
    _edit(path, value=[-35.28, 65.92, 32.5])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_remove_table, "quantum_efficiency-2.0.0.ecsv does not exist"),
        (_link_table, "is a link"),
        (_name_outside, "not the name of a file beside it"),
        (_contradict, "contradict each other"),
        (_contradict_the_optics, "effective_focal_length: 29.306 m, but focal_length is 20 m"),
        (_truncate, "nsb_pixel_rate-2.0.0.json is no JSON"),
        (_stand_on_another, "stands there"),
    ],
)
def test_contradictions_and_missing_files_are_refused(
    given: Path, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(given)
    with pytest.raises(InvalidInput) as caught:
        _import(given, tmp_path / "made")
    assert words in caught.value.message
    assert caught.value.next_step
    assert not (tmp_path / "made").exists()


def test_a_version_is_never_changed(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    with pytest.raises(Conflict, match="never changed"):
        _import(EXAMPLE, tmp_path / "made")
    with pytest.raises(NotFound, match="no parameter files"):
        _import(tmp_path / "made", tmp_path / "other")
    same = NewVersion(
        version=load_model().version, source="x", released=TOLD.released, valid_from=TOLD.valid_from
    )
    with pytest.raises(InvalidInput, match="is that of the model before"):
        import_parameters(EXAMPLE, tmp_path / "other", load_model(), same)


def _atmosphere(path: Path, unit: str) -> Path:
    names = {"altitude": "km", "density": unit, "thickness": "g / cm2", "refractive_index": "''"}
    columns = "".join(
        f"# - {{name: {name}, unit: {word}, datatype: float64}}\n" for name, word in names.items()
    )
    # The built-in profile of the site, thinned.
    air = built_in_atmosphere("ctao-north-winter")
    rows = "".join(
        f"{height / 1e3} {density} {thickness} {1 + refractivity:.12f}\n"
        for height, density, thickness, refractivity in zip(
            air.altitude[::10], air.density[::10], air.thickness[::10], air.refractivity[::10], strict=True
        )
    )
    head = f"# %ECSV 1.0\n# ---\n# datatype:\n{columns}# schema: astropy-2.0\n{' '.join(names)}\n"
    path.write_text(head + rows)
    return path


def test_atmosphere_is_submitted_as_a_table(tmp_path: Path) -> None:
    name = "atmospheric_profile"
    table = _atmosphere(tmp_path / "air.ecsv", "g / cm3")
    made, _ = submit_parameter(
        load_model(), tmp_path / "a", TOLD, instrument="OBS-North", name=name, table=table
    )
    array = load_array("ctao-north-lst1", made.folder)
    assert array.atmosphere == str(made.folder / "files/OBS-North/air.ecsv")
    air, built_in = load_atmosphere(array.atmosphere), built_in_atmosphere("ctao-north-winter")
    assert air.density == pytest.approx(built_in.density[::10])
    assert air.refractivity == pytest.approx(built_in.refractivity[::10], abs=1e-12)
    wrong = _atmosphere(tmp_path / "wrong.ecsv", "g / cm2")
    with pytest.raises(InvalidInput, match="column density has the unit"):
        submit_parameter(load_model(), tmp_path / "b", TOLD, instrument="OBS-North", name=name, table=wrong)


def _mirrors(path: Path, count: int) -> Path:
    rows = "".join(f"{10 * n}.0 0.0 151.0 2820.0 1 0.0 {n}\n" for n in range(count))
    names = ("mirror_x", "mirror_y", "mirror_diameter", "focal_length", "shape_type", "mirror_z")
    units = ("cm", "cm", "cm", "cm", "''", "cm")
    columns = "".join(
        f"# - {{name: {n}, unit: {unit}, datatype: float64}}\n" for n, unit in zip(names, units, strict=True)
    )
    head = f"# %ECSV 1.0\n# ---\n# datatype:\n{columns}# - {{name: mirror_panel_id, datatype: int64}}\n"
    path.write_text(f"{head}# schema: astropy-2.0\n{' '.join(names)} mirror_panel_id\n{rows}")
    return path


def test_single_values_are_submitted(tmp_path: Path) -> None:
    base = load_model()
    made, report = submit_parameter(
        base,
        tmp_path / "a",
        TOLD,
        instrument="OBS-North",
        name="reference_point_altitude",
        values=["2.15"],
        unit="km",
    )
    assert report.converted == ["OBS-North/reference_point_altitude: 2.15 km is 2150 m"]
    assert made.find("OBS-North", "reference_point_altitude").version == "1.1.0"
    # Telescopes stand on the reference point; z = 0 of the simulation stays the observation level.
    assert load_array("ctao-north-lst", made.folder).telescopes[0].position_m[2] == pytest.approx(45.0 - 6.0)
    table = _mirrors(tmp_path / "mirrors.ecsv", 198)
    listed, _ = submit_parameter(
        made, tmp_path / "b", TOLD_AGAIN, instrument="LSTN-design", name="mirror_list", table=table
    )
    assert listed.file("LSTN-design", "mirror_list").read_bytes() == table.read_bytes()
    assert listed.parameters.keys() - made.parameters.keys() == {("LSTN-design", "mirror_list")}


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("mirror_listing", {"values": ["1"]}, NotFound, "no parameter 'mirror_listing'"),
        ("mirror_list", {"values": ["1"]}, InvalidInput, "is a table"),
        ("focal_length", {}, InvalidInput, "is no table"),
        ("focal_length", {"values": ["long"], "unit": "m"}, InvalidInput, "is 'long', not a finite number"),
        ("focal_length", {"values": ["28"], "unit": "s"}, InvalidInput, "does not convert to cm"),
        ("default_trigger", {"values": ["Always"]}, InvalidInput, "not one of Majority"),
        ("num_gains", {"values": ["1"]}, InvalidInput, "num_gains: 1, but the camera's files have 2"),
    ],
)
def test_wrong_submissions_are_refused(
    tmp_path: Path, name: str, options: dict[str, object], error: type[DppsError], words: str
) -> None:
    with pytest.raises(error, match=name) as caught:
        submit_parameter(load_model(), tmp_path / "a", TOLD, instrument="LSTN-design", name=name, **options)  # type: ignore[arg-type] # of the table above
    assert words in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_mirror_list_that_contradicts_the_dish_is_refused(tmp_path: Path) -> None:
    table = _mirrors(tmp_path / "mirrors.ecsv", 150)
    with pytest.raises(InvalidInput, match="150 facets, but number_of_mirror_tiles is 198") as caught:
        submit_parameter(
            load_model(), tmp_path / "a", TOLD, instrument="LSTN-design", name="mirror_list", table=table
        )
    assert "mirror_area" in caught.value.message
