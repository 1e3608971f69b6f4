"""Event lists for science tools (DL3): events, good times, pointing, response of an observation."""
