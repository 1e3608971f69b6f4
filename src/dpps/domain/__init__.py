"""Values, closed states with their transition tables, and errors. Standard library only: no I/O, no clock."""
