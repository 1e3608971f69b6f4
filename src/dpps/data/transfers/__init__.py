"""Moving of bytes between storages: what a transfer is, when it is tried again, and how one file is moved."""
