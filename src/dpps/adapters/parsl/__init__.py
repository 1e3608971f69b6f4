"""Jobs on Parsl."""
