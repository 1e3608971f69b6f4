"""Settings, and the wiring of ports to adapters: the only importer of adapters."""
