"""Why a file, a dataset or a site is as it is, and what happens next."""
