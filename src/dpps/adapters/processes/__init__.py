"""Work shared among processes of this machine, with the standard library."""
