"""Trained models: what they were trained on, and whether they suit the events.

ctapipe applies models of other telescopes after a warning, and skips telescopes
that a model does not know. Here both are refused. The versions a model was
trained with are not in ctapipe's file: the training step adds them.

Models are pickles: loading one runs what it contains. Load models from the
archive of the observatory, or of your own making, only.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from dpps.domain.steps import CorruptedInput, MissingInput
from dpps_datapipe.provenance import file_checksum
from dpps_datapipe.steps.inputs import EventFile, Telescope, other_telescopes

__all__ = [
    "TrainedModel",
    "check_models",
    "installed_versions",
    "read_model",
    "stamp_model",
    "telescopes_of",
]

_STAMP = "training_versions"
_SOFTWARE = ("ctapipe", "scikit-learn")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A model as the checks see it."""

    path: Path
    #: Table of the array that it fills: kind of prediction and prefix, e.g. ``energy/ExtraTreesRegressor``.
    predicts: str
    #: Checksum of its file.
    sha256: str
    #: Of the array that it was trained on, by identifier.
    telescopes: Mapping[int, Telescope]


def installed_versions() -> dict[str, str]:
    """Give the versions that decide whether a model can be used."""
    return {name: version(name) for name in _SOFTWARE}


def _release(text: str) -> tuple[str, ...]:
    """Major and minor number: patches keep models usable."""
    return tuple(text.split(".")[:2])


def _load(path: Path) -> Any:
    from ctapipe.reco import Reconstructor

    if not path.is_file():
        raise MissingInput("the model is not there", path=path)
    try:
        with warnings.catch_warnings():
            # scikit-learn warns when another version of it made the model.
            warnings.simplefilter("error")
            return Reconstructor.read(path)
    except Warning as error:
        raise CorruptedInput(
            f"the model was trained with other software: {error}",
            path=path,
            next_step="train it again with the versions installed here",
        ) from error
    except (
        UnpicklingError,
        OSError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        ImportError,
        LookupError,
    ) as error:
        raise CorruptedInput(
            f"the model does not load: {error}", path=path, next_step="fetch it again, or train it again"
        ) from error


def _check_versions(path: Path, trained: Mapping[str, str]) -> None:
    for name, installed in installed_versions().items():
        before = trained.get(name, installed)
        if _release(before) != _release(installed):
            raise CorruptedInput(
                f"trained with {name} {before}, but {installed} is installed",
                path=path,
                next_step="train it again, or install the version it was trained with",
            )


def telescopes_of(subarray: Any) -> dict[int, Telescope]:
    """Give the telescopes of an array description (`ctapipe.instrument.SubarrayDescription`)."""
    from astropy import units as u

    found = {}
    for tel_id, telescope in subarray.tel.items():
        x, y, z = (float(value) for value in subarray.positions[tel_id].to_value(u.m))
        found[int(tel_id)] = Telescope(description=str(telescope), position_m=(x, y, z))
    return found


def read_model(path: Path) -> TrainedModel:
    """Read what a model is, and check that it can be used with the software at hand.

    Parameters
    ----------
    path : pathlib.Path
        Model that ctapipe's training wrote.

    Returns
    -------
    TrainedModel

    Raises
    ------
    MissingInput
        If it is not there.
    CorruptedInput
        If it does not load here, or was trained with other software.
    """
    model = _load(path)
    _check_versions(path, getattr(model, _STAMP, {}))
    combiner = model.stereo_combiner
    return TrainedModel(
        path=path,
        predicts=f"{combiner.property}/{combiner.prefix}",
        sha256=file_checksum(path),
        telescopes=telescopes_of(model.subarray),
    )


def check_models(events: EventFile, models: Sequence[TrainedModel]) -> None:
    """Check that models were trained for the telescopes of events.

    Parameters
    ----------
    events : EventFile
        What they shall be applied to.
    models : sequence of TrainedModel
        The models.

    Raises
    ------
    CorruptedInput
        If a model was trained for other telescopes.
    """
    for model in models:
        reasons = other_telescopes(events.telescopes, model.telescopes)
        if reasons:
            raise CorruptedInput(
                f"trained on another array than that of {events.path}: {'; '.join(reasons[:3])}",
                path=model.path,
                next_step="use models that were trained on this array",
            )


def stamp_model(path: Path) -> None:
    """Write the versions of the software into a model that was just trained."""
    import joblib

    model = _load(path)
    setattr(model, _STAMP, installed_versions())
    new = path.with_name(path.name + ".new")
    with new.open("wb") as stream:
        joblib.dump(model, stream, compress=True)
    new.replace(path)
