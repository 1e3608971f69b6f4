"""Whether events, event selection and response belong together.

A response holds for events of its array, with its models, after its event selection. Files of
``dpps-datapipe`` say what they were made with (`dpps_datapipe.origins`); those of other programs may not.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dpps.domain.steps import ConfigurationError, CorruptedInput
from dpps_datapipe.dl3.events import Columns, Observed
from dpps_datapipe.irf.reading import ResponseFile
from dpps_datapipe.origins import Origins, selection_checksum
from dpps_datapipe.steps.inputs import other_telescopes

__all__ = ["check_agreement", "origins_of_events"]


def origins_of_events(observed: Observed, selection: Path | None) -> Origins:
    """Give what an event list is made with, for its header.

    Parameters
    ----------
    observed : Observed
        The events.
    selection : pathlib.Path or None
        The event selection.

    Returns
    -------
    Origins
    """
    return Origins(
        selection=None if selection is None else selection_checksum(selection),
        models=_used_models(observed) or None,
        reconstructions=_reconstructions(observed.columns),
    )


def _reconstructions(columns: Columns) -> dict[str, str]:
    return {"energy": columns.energy, "geometry": columns.geometry, "gammaness": columns.gammaness}


def _tables(columns: Columns) -> tuple[str, ...]:
    """Tables of predictions that an event list is made of."""
    return f"energy/{columns.energy}", f"geometry/{columns.geometry}", f"particle_type/{columns.gammaness}"


def _used_models(observed: Observed) -> dict[str, str]:
    tables = _tables(observed.columns)
    return {name: checksum for name, checksum in observed.file.models.items() if name in tables}


def check_agreement(
    observed: Observed, selection: Path | None, responses: Sequence[ResponseFile]
) -> list[str]:
    """Check that responses are of the array, the models and the event selection of an event list.

    Parameters
    ----------
    observed : Observed
        The events.
    selection : pathlib.Path or None
        The event selection.
    responses : sequence of ResponseFile
        The responses, one or a grid.

    Returns
    -------
    list of str
        What could not be checked because a response does not say it.

    Raises
    ------
    CorruptedInput
        If a response is of another array, other models or another event selection.
    ConfigurationError
        If the response is of a reconstruction that is not asked for, or of an event selection and none is
        given.
    """
    origins = origins_of_events(observed, selection)
    unknown: list[str] = []
    for response in responses:
        _check_array(observed, response)
        _check_selection(origins, selection, response)
        _check_models(observed, origins, response)
        missing = ", ".join(_not_said(response.origins))
        if missing:
            unknown.append(f"{response.path.name} does not name its {missing}: not checked")
    return unknown


def _not_said(origins: Origins) -> Iterator[str]:
    if not origins.telescopes:
        yield "array"
    if origins.selection is None:
        yield "event selection"
    if origins.models is None:
        yield "models"


def _check_array(observed: Observed, response: ResponseFile) -> None:
    expected, found = response.origins.telescopes, observed.file.telescopes
    if not expected:
        return
    reasons = other_telescopes(found, expected)
    reasons += [f"telescope {tel_id} is missing" for tel_id in sorted(set(expected) - set(found))]
    if reasons:
        raise CorruptedInput(
            f"the events of {observed.path} are of another array than the response: {'; '.join(reasons[:3])}",
            path=response.path,
            next_step="give the response of this array",
        )


def _check_selection(origins: Origins, selection: Path | None, response: ResponseFile) -> None:
    expected = response.origins.selection
    if expected is None:
        return
    if selection is None:
        raise ConfigurationError(
            f"the response holds after the event selection sha256:{expected[:12]}, and none is given",
            path=response.path,
            next_step="give it with --cuts",
        )
    if origins.selection != expected:
        raise CorruptedInput(
            f"the response was made with the event selection sha256:{expected[:12]}, not with {selection} "
            f"(sha256:{str(origins.selection)[:12]})",
            path=response.path,
            next_step="give the event selection and the response that were made together",
        )


def _check_models(observed: Observed, origins: Origins, response: ResponseFile) -> None:
    for kind, expected in response.origins.reconstructions.items():
        asked = origins.reconstructions[kind]
        if asked != expected:
            raise ConfigurationError(
                f"the response is of the {kind} of {expected}, the event list would have that of {asked}",
                path=response.path,
                next_step=f"correct --{kind}-reconstruction, or give the response of {asked}",
            )
    applied = origins.models or {}
    for name, expected in (response.origins.models or {}).items():
        if name in _tables(observed.columns) and applied.get(name) != expected:
            said = applied.get(name)
            found = f"sha256:{said[:12]}" if said else "one that they do not name"
            raise CorruptedInput(
                f"the response was made with the model sha256:{expected[:12]} of {name}, the events of "
                f"{observed.path} with {found}",
                path=response.path,
                next_step="apply the models of the response to the events: dpps-datapipe apply-models",
            )
