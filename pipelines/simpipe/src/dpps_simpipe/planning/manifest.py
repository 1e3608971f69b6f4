"""What a finished run says of itself: the manifest that simtools writes beside its files, and ours.

simtools' ``simulate_prod_job_metadata.yml`` (schema 1.0.0) nests the names of the archive under
``catalog_metadata``; ours has the same form under a name of its own, since its files are not those of
sim_telarray.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dpps.domain.steps import ConfigurationError, MissingInput
from dpps_simpipe.documents import UnreadableDocument, read_yaml
from dpps_simpipe.planning.jobs import Job

__all__ = [
    "FILE_NAME",
    "Manifest",
    "Quantity",
    "RunStatistics",
    "make_manifest",
    "read_manifest",
    "write_manifest",
]

FILE_NAME: Final = "simulate_prod_job_metadata.yml"
_OURS: Final = "dpps_simpipe_job_metadata"
_SITES: Final = {"North": "LaPalma", "South": "Paranal"}
"""Names of the sites in the file catalogue of CTADIRAC."""
_CORSIKA_NORTH_DEG: Final = 180.0

NonEmpty = Annotated[str, Field(min_length=1)]
FileList = Annotated[list[NonEmpty], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantity(_Part):
    """A number with its unit."""

    value: float
    unit: NonEmpty


class RunStatistics(_Part):
    """Counted events."""

    simulated_events: Annotated[int, Field(ge=0)]
    triggered_events: Annotated[int, Field(ge=0)]


class Configuration(_Part):
    """How the run was made."""

    model_config = ConfigDict(extra="allow", frozen=True)

    run_number: Annotated[int, Field(ge=0)]
    primary: NonEmpty
    site: Literal["North", "South"]
    array_layout_name: NonEmpty | list[NonEmpty]
    model_version: NonEmpty | list[NonEmpty]
    simulation_software: NonEmpty
    azimuth_angle: Quantity
    zenith_angle: Quantity
    energy_min: Quantity
    energy_max: Quantity
    view_cone_min: Quantity
    view_cone_max: Quantity
    cores_per_shower: Annotated[int, Field(ge=1)]
    core_scatter_max: Quantity
    showers_per_run: Annotated[int, Field(ge=1)]
    model_parameter_overrides: dict[str, Any]
    atmosphere: dict[str, Any]


class Manifest(_Part):
    """One finished run."""

    schema_name: Literal["simulate_prod_job_metadata", "dpps_simpipe_job_metadata"]
    schema_version: Literal["1.0.0"]
    product_type: Literal["simulate_prod_job"]
    production_id: str | None = None
    job_id: str
    status: Literal["complete"]
    catalog_metadata: dict[str, Any]
    statistics: RunStatistics | None = None
    configuration: Configuration
    files: Annotated[dict[str, FileList], Field(min_length=1)]


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of a finished run, of ours or of simtools.

    Raises
    ------
    MissingInput
        When there is none: the run did not finish.
    ConfigurationError
        When it is no manifest, or names a file that is not beside it; names the entry.
    """
    try:
        manifest = Manifest.model_validate(read_yaml(path))
    except FileNotFoundError as wrong:
        raise MissingInput(
            f"there is no manifest {path}", "look into the log of the run: it did not finish"
        ) from wrong
    except UnreadableDocument as wrong:
        raise ConfigurationError(f"{path} is no YAML: {wrong}", "simulate the run again") from wrong
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{path}: {place}: {first['msg']}", "compare it with simulate_prod_job_metadata.schema.yml 1.0.0"
        ) from wrong
    for name in (name for names in manifest.files.values() for name in names):
        if Path(name).name != name or not (path.parent / name).is_file():
            raise ConfigurationError(
                f"{path} names {name!r}, which is not beside it", "simulate the run again"
            )
    return manifest


def make_manifest(
    job: Job,
    *,
    production: str,
    site: Literal["North", "South"],
    statistics: RunStatistics,
    atmosphere: dict[str, Any],
    files: dict[str, list[str]],
) -> Manifest:
    """Return the manifest of a run of our simulator."""

    def quantity(value: float, unit: str) -> Quantity:
        return Quantity(value=value, unit=unit)

    return Manifest(
        schema_name=_OURS,
        schema_version="1.0.0",
        product_type="simulate_prod_job",
        production_id=production,
        job_id=f"{production}-{job.run_number:06d}",
        status="complete",
        catalog_metadata={
            "array_layout": job.array_layout_name,
            "site": _SITES[site],
            "particle": job.primary,
            "phiP": round((_CORSIKA_NORTH_DEG - job.azimuth_angle) % 360.0, 2),
            "thetaP": round(job.zenith_angle, 2),
            "view_cone_min": round(job.view_cone_min, 2),
            "view_cone_max": round(job.view_cone_max, 2),
            "runNumber": job.run_number,
            "model_version": job.model_version,
        },
        statistics=statistics,
        configuration=Configuration(
            run_number=job.run_number,
            primary=job.primary,
            site=site,
            array_layout_name=job.array_layout_name,
            model_version=job.model_version,
            simulation_software="dpps-simpipe",
            azimuth_angle=quantity(job.azimuth_angle, "deg"),
            zenith_angle=quantity(job.zenith_angle, "deg"),
            energy_min=quantity(job.energy_min, "GeV"),
            energy_max=quantity(job.energy_max, "GeV"),
            view_cone_min=quantity(job.view_cone_min, "deg"),
            view_cone_max=quantity(job.view_cone_max, "deg"),
            cores_per_shower=job.cores_per_shower,
            core_scatter_max=quantity(job.core_scatter_max, "m"),
            showers_per_run=job.showers_per_run,
            model_parameter_overrides={},
            atmosphere=atmosphere,
        ),
        files=files,
    )


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest, last of all the files of a run; it is there as a whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(yaml.safe_dump(manifest.model_dump(mode="json"), sort_keys=False))
    part.replace(path)
