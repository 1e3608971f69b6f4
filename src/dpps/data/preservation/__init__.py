"""Keeping: every dataset gets what the policy asks for, and on-site copies go when that is proven."""

from dpps.data.preservation.freeing import OnsiteCopy, PreservationOutcome
from dpps.data.preservation.keeping import DatasetLook, Keeping, keep_dataset, preservation_pass

__all__ = [
    "DatasetLook",
    "Keeping",
    "OnsiteCopy",
    "PreservationOutcome",
    "keep_dataset",
    "preservation_pass",
]
