"""Workload management: productions, transformations, tasks, jobs and the decisions about them."""
