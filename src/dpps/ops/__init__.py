"""Running the system: supervisor, bootstrap, health."""
