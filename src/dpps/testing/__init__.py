"""Test kit: contract suites, builders, fake clock, fault injectors. Imported by tests only."""
