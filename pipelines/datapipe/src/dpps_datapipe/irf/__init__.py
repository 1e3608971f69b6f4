"""Instrument response: read, checked, made, drawn."""
