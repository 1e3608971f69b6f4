"""Files in the eventio format of sim_telarray, read with ``eventio``."""
