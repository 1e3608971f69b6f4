"""The demo: files from a hand-over folder to preserved, processed and reported products."""
