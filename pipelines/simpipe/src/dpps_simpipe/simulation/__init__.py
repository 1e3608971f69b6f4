"""Runs: description, events, production of files."""
