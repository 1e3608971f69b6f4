"""Synthetic event tables for tests and examples. No simulation: drawn from stated formulas."""
