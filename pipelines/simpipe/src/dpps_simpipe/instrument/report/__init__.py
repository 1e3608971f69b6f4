"""Pages that describe a version of the model: tables and plots, made from it alone."""

from dpps_simpipe.instrument.report.writing import write_report

__all__ = ["write_report"]
