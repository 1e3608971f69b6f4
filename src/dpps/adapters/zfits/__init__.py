"""DL0 streams as compressed FITS tables, read with ``astropy``."""
