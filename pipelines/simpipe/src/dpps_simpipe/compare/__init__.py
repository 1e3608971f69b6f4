"""The simulator against real simulation (sim_telarray, CORSIKA)."""
