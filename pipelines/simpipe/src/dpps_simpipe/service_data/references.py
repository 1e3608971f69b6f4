"""Reference metadata of service-data files: which data model a file follows, for which part."""

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from ctapipe.instrument import SubarrayDescription
from ctapipe.io import metadata

from dpps_simpipe.instrument import Array

__all__ = ["ELEMENTS", "INSTRUMENT", "POSITIONS", "SUBARRAYS", "DataModel", "reference"]

_IDENTIFIERS = "https://gitlab.cta-observatory.org/cta-computing/common/identifiers"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataModel:
    """What a file follows.

    Parameters
    ----------
    name, version, url : str
        Data model.
    description : str
        What the file holds.
    format : str
        json or ecsv.
    """

    name: str
    version: str
    url: str
    description: str
    format: str


INSTRUMENT = DataModel(
    name="CTAO Service Data",
    version=SubarrayDescription.CURRENT_SERVICE_DATA_VERSION,
    url="",
    description="Instrument description",
    format="json",
)
ELEMENTS = DataModel(
    name="ctao.common.identifiers.array_elements",
    version=SubarrayDescription.CURRENT_ARRAY_ELEMENTS_IDENTIFIERS_VERSION,
    url=_IDENTIFIERS,
    description="Numbers and names of array elements",
    format="json",
)
SUBARRAYS = DataModel(
    name="ctao.common.identifiers.subarrays",
    version=SubarrayDescription.CURRENT_SUBARRAY_IDENTIFIERS_VERSION,
    url=_IDENTIFIERS,
    description="Numbers, names and elements of subarrays",
    format="json",
)
POSITIONS = DataModel(
    name="CTAO Service Data",
    version=SubarrayDescription.CURRENT_SERVICE_DATA_VERSION,
    url="",
    description="Positions of array elements",
    format="ecsv",
)


def reference(model: DataModel, arrays: tuple[Array, ...], site: str) -> dict[str, str]:
    """Make the metadata of a file, the same at every run: times and identifiers are those of the model.

    Parameters
    ----------
    model : DataModel
        What the file follows.
    arrays : tuple of Array
        What it describes, all of one version of the instrument model.
    site : str
        Site in the words of service data; several: separated by commas.

    Returns
    -------
    dict
        Keys ``CTA …`` of ctapipe.
    """
    first = arrays[0]
    about = ", ".join(array.name for array in arrays)
    identifier = str(
        uuid5(NAMESPACE_URL, f"dpps-simpipe:{first.version}:{model.name}:{model.format}:{about}")
    )
    activity = metadata.Activity(
        name="dpps-simpipe service-data",
        id_=identifier,
        start_time=first.released,
        stop_time=first.released,
        software_name="dpps-simpipe",
        software_version=first.version,
    )
    product = metadata.Product(
        id_=identifier,
        creation_time=first.released,
        description=f"{model.description} of {about}, instrument model {first.version}",
        data_association="Subarray",
        data_model_name=model.name,
        data_model_version=model.version,
        data_model_url=model.url,
        format=model.format,
    )
    filled: dict[str, str] = metadata.Reference(
        contact=metadata.Contact(name="The dpps developers"),
        product=product,
        process=metadata.Process(),
        activity=activity,
        instrument=metadata.Instrument(site=site, class_="Subarray", version=first.version),
    ).to_dict()
    return filled
