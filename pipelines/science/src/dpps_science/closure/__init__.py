"""Closure: many simulated nights, each with a seed of its own, fitted back to what was injected."""
