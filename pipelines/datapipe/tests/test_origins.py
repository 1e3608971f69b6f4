"""Events, event selection and response that do not belong together are refused, with the names of both."""

import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io import fits
from dpps_datapipe.dl3.agreement import check_agreement, origins_of_events
from dpps_datapipe.dl3.events import Columns, Observed, read_events
from dpps_datapipe.irf.reading import ResponseFile, read_response
from dpps_datapipe.origins import Origins, selection_checksum, stamp_models, write_origins
from dpps_datapipe.steps.inputs import read_event_file

from dpps.domain.steps import ConfigurationError, CorruptedInput

from .conftest import Synthetic, step

ENERGY, GAMMANESS = "energy/ExtraTreesRegressor", "particle_type/ExtraTreesClassifier"
MODELS = {ENERGY: 64 * "a", GAMMANESS: 64 * "b"}


@pytest.fixture(scope="module")
def observed(synthetic: Synthetic) -> Observed:
    return read_events(synthetic.observation, Columns())


@pytest.fixture(scope="module")
def response(synthetic: Synthetic) -> ResponseFile:
    return read_response(synthetic.response)


def with_models(one: ResponseFile, models: dict[str, str]) -> ResponseFile:
    return replace(one, origins=replace(one.origins, models=models))


@pytest.mark.verifies_usecase("UC-130-1.6")
def test_a_response_says_what_it_was_made_with(synthetic: Synthetic, response: ResponseFile) -> None:
    origins = response.origins
    assert origins.selection == selection_checksum(synthetic.selection)
    assert origins.telescopes == read_event_file(synthetic.folder / "gamma.h5").telescopes
    assert origins.place is not None
    assert (origins.place.longitude_deg, origins.place.latitude_deg) == pytest.approx(
        (-17.892, 28.762), abs=1e-3
    )
    assert origins.reconstructions["energy"] == "ExtraTreesRegressor"
    assert origins.models is None  # the synthetic events name none


def test_what_is_written_is_read_back() -> None:
    from dpps_datapipe.origins import origins_of

    header = fits.Header()
    made = Origins(selection=64 * "c", models=MODELS, reconstructions={"energy": "ExtraTreesRegressor"})
    write_origins(header, made)
    again = fits.Header.fromstring(header.tostring())
    assert origins_of(Path("irf.fits"), again, None) == made


def test_a_packed_selection_is_the_same(synthetic: Synthetic, tmp_path: Path) -> None:
    plain = tmp_path / "selection.fits"
    plain.write_bytes(gzip.decompress(synthetic.selection.read_bytes()))
    packed = tmp_path / "named.otherwise"
    packed.write_bytes(gzip.compress(plain.read_bytes(), mtime=1))
    for path in (plain, packed):
        assert selection_checksum(path) == selection_checksum(synthetic.selection)


def test_files_that_belong_together_pass(
    synthetic: Synthetic, observed: Observed, response: ResponseFile
) -> None:
    (words,) = check_agreement(observed, synthetic.selection, [response])
    assert words == "irf.fits.gz does not name its models: not checked"
    named = replace(observed, file=replace(observed.file, models={**MODELS, "geometry/disp": 64 * "d"}))
    assert check_agreement(named, synthetic.selection, [with_models(response, MODELS)]) == []
    assert origins_of_events(named, synthetic.selection).models == MODELS


@pytest.mark.verifies_usecase("UC-130-3.1.1")
def test_another_selection_is_refused(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, output = tmp_path / "other.fits", tmp_path / "events.fits"
    with fits.open(synthetic.selection) as hdus:
        hdus["GH_CUTS"].data["cut"] -= 0.01
        hdus.writeto(other)
    files = {
        "--events": synthetic.observation,
        "--irf": synthetic.response,
        "--observation": synthetic.notes,
        "--output": output,
    }
    words = [str(word) for pair in files.items() for word in pair]
    assert step("make-dl3", *words, "--cuts", str(other)) == 104
    error = capsys.readouterr().err
    assert f"{synthetic.response}: the response was made with the event selection sha256:" in error
    assert f"not with {other}" in error
    assert step("make-dl3", *words) == 101
    assert "give it with --cuts" in capsys.readouterr().err
    assert not output.exists()
    assert step("make-dl3", *words, "--cuts", str(synthetic.selection)) == 0
    assert "WARNING: irf.fits.gz does not name its models" in capsys.readouterr().err
    header = fits.getheader(output, "EVENTS")
    assert header["CUTSHA"] == selection_checksum(synthetic.selection)
    assert header["RECGAMMA"] == "ExtraTreesClassifier"
    assert "does not name its models" in str(header["HISTORY"])
    assert fits.getheader(output, "EFFECTIVE AREA")["CUTSHA"] == header["CUTSHA"]


@pytest.mark.parametrize(
    ("applied", "found"),
    [({**MODELS, ENERGY: 64 * "e"}, "with sha256:eeeeeeeeeeee"), ({}, "with one that they do not name")],
)
def test_events_of_other_models_are_refused(
    applied: dict[str, str], found: str, synthetic: Synthetic, observed: Observed, response: ResponseFile
) -> None:
    other = replace(observed, file=replace(observed.file, models=applied))
    with pytest.raises(CorruptedInput, match=f"sha256:aaaaaaaaaaaa of {ENERGY}, the events of .*{found}"):
        check_agreement(other, synthetic.selection, [with_models(response, MODELS)])


def test_another_reconstruction_is_refused(
    synthetic: Synthetic, observed: Observed, response: ResponseFile
) -> None:
    other = replace(observed, columns=Columns(geometry="disp"))
    with pytest.raises(ConfigurationError, match="of the geometry of HillasReconstructor"):
        check_agreement(other, synthetic.selection, [response])


def test_a_response_of_another_array_is_refused(
    synthetic: Synthetic, observed: Observed, response: ResponseFile
) -> None:
    telescopes = dict(observed.file.telescopes)
    x, y, z = telescopes[2].position_m
    moved = {**telescopes, 2: replace(telescopes[2], position_m=(x + 30.0, y, z))}
    fewer = {tel_id: one for tel_id, one in telescopes.items() if tel_id != 4}
    for array, reason in ((moved, "telescope 2 stands 30.0 m away"), (fewer, "telescope 4 is missing")):
        other = replace(observed, file=replace(observed.file, telescopes=array))
        with pytest.raises(CorruptedInput, match=f"observation.h5 are of another array .*{reason}"):
            check_agreement(other, synthetic.selection, [response])


@pytest.mark.verifies_usecase("UC-130-1.8")
def test_files_with_other_models_are_not_merged(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, output = tmp_path / "copy.h5", tmp_path / "merged.h5"
    shutil.copyfile(synthetic.observation, copy)
    stamp_models(copy, MODELS)
    assert read_event_file(copy).models == MODELS
    assert step("merge", "--output", str(output), str(synthetic.observation), str(copy)) == 104
    assert f"copy.h5: {ENERGY} is of the model sha256:aaaaaaaaaaaa" in capsys.readouterr().err
    assert not output.exists()
    # ctapipe keeps the names of models where it copies tables.
    assert step("merge", "--output", str(output), str(copy), "--provenance-log", str(tmp_path / "log")) == 0
    assert read_event_file(output).models == MODELS
