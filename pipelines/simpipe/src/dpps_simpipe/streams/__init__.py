"""DL0 streams in the form that the telescopes' acquisition system (ACADA) hands over."""

from dpps_simpipe.streams.block import CREATORS, StreamBlock, StreamIdentity, Tracking
from dpps_simpipe.streams.layout import Layout, link_triggers
from dpps_simpipe.streams.subarray import ArrayStream, ArrayTrigger, write_array_stream
from dpps_simpipe.streams.telescope import CameraStream, RawEvent, write_telescope_stream

__all__ = [
    "CREATORS",
    "ArrayStream",
    "ArrayTrigger",
    "CameraStream",
    "Layout",
    "RawEvent",
    "StreamBlock",
    "StreamIdentity",
    "Tracking",
    "link_triggers",
    "write_array_stream",
    "write_telescope_stream",
]
