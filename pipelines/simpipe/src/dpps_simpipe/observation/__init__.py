"""Simulated observations: a source, cosmic rays and a clock, as raw streams of an array."""
