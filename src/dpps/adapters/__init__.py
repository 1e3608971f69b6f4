"""Ports implemented with one client library each; adapters never import one another."""
