"""The workload service: the agent that drives productions, and the API that jobs and people talk to."""
