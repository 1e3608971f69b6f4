"""A bed of bad luck: the whole system is fed and hurt from outside, and judged by raw means.

Nothing here asks the system's own catalogue. What was handed over is known by its checksum, taken before the
system saw it; what the system did is read from file systems. The system is driven by its command line,
signals to its processes, and files.
"""
