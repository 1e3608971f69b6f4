"""Data Processing and Preservation System of the Cherenkov Telescope Array Observatory."""
