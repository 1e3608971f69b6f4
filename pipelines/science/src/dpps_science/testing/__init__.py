"""Self-made event lists for tests."""
