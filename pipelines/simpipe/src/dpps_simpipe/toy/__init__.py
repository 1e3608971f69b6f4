"""Toy observations: small DL0 files in the form that the telescopes' software gives.

Nothing here simulates physics. Camera images are ellipses (the toy image model
of ctapipe) placed so that the geometry of a shower is consistent between
telescopes; energies are labels. The word "toy" is written wherever a reader
can look: headers, titles, truth table, log.
"""

from dpps_simpipe.toy.observation import LABEL, ToyError, ToyObservation
from dpps_simpipe.toy.streams import (
    SubarrayEvent,
    TelescopeEvent,
    write_array_stream,
    write_telescope_stream,
)

__all__ = [
    "LABEL",
    "SubarrayEvent",
    "TelescopeEvent",
    "ToyError",
    "ToyObservation",
    "write_array_stream",
    "write_telescope_stream",
]
