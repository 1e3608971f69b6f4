"""In-memory implementations of the ports, for tests and dry runs; they pass the same contract suites."""
