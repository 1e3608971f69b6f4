"""The catalogue kept by Rucio, through its Python client only."""
