"""The transfer service: moves bytes between storages for whoever speaks FTS3 REST."""
