"""Storage back ends: the bytes behind physical URLs."""
