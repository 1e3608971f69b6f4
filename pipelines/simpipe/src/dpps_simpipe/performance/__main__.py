"""``python -m dpps_simpipe.performance``."""

import sys

from dpps_simpipe.performance.command import main

if __name__ == "__main__":
    sys.exit(main())
