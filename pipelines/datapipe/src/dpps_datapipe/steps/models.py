"""Trained models: what they were trained on, and whether they suit the events.

ctapipe applies models of other telescopes after a warning, and skips telescopes
that a model does not know. Here both are refused. The versions a model was
trained with are not in ctapipe's file: the training step adds them.

Models are pickles: loading one runs what it contains. Load models from the
archive of the observatory, or of your own making, only.
"""

import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from dpps.domain.steps import CorruptedInput, MissingInput
from dpps_datapipe.steps.inputs import EventFile, Telescope, other_telescopes

__all__ = ["check_models", "installed_versions", "stamp_model", "telescopes_of"]

_STAMP = "training_versions"
_SOFTWARE = ("ctapipe", "scikit-learn")


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


def check_models(events: EventFile, paths: Sequence[Path]) -> None:
    """Check that models were trained for the telescopes and the software at hand.

    Parameters
    ----------
    events : EventFile
        What they shall be applied to.
    paths : sequence of pathlib.Path
        Models that ctapipe's training wrote.

    Raises
    ------
    MissingInput
        If a model is not there.
    CorruptedInput
        If a model does not load here, was trained with other software, or for
        other telescopes.
    """
    for path in paths:
        model = _load(path)
        _check_versions(path, getattr(model, _STAMP, {}))
        reasons = other_telescopes(events.telescopes, telescopes_of(model.subarray))
        if reasons:
            raise CorruptedInput(
                f"trained on another array than that of {events.path}: {'; '.join(reasons[:3])}",
                path=path,
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
