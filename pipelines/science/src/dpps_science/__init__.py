"""Science analysis: from event lists (DL3) to a spectrum, with Gammapy."""

__all__ = ["__version__"]

__version__ = "0.1.0"
