"""DataPipe: from DL0 to DL3, on ctapipe."""

__all__ = ["__version__"]

__version__ = "0.1.0"
