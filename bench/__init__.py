"""Benchmarks: measured figures beside a peer's or a physical limit's, never asserted in tests."""
