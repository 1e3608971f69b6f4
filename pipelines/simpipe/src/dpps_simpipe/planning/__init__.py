"""Simulation productions: grid of points, statistics from a target uncertainty, job table, estimate of cost.

`plan` is what people write, `grid` the points, `limits` the energies, distances and angles worth throwing at,
`statistics` how many showers that takes, `jobs` the table of runs (the format of simtools' job grids), `cost`
what it costs, `back_ends` what runs a row of the table, `manifest` what a finished run says of itself.
"""
