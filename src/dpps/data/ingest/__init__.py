"""From the hand-over folder into the archive: reading, judging, placing and registering what is announced."""
