"""Simulated calibration runs: pedestals, flat fields, muons and star fields with recorded truth."""
