"""Integrity for ever: copies are read back, storages compared with the catalogue, damage is repaired."""
