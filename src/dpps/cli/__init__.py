"""The command line: ``dpps <noun> <verb>``. A command calls one use case and prints what it returns."""
