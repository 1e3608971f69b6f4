"""The ingest service: takes handed-over files into the archive and frees on-site copies that are safe."""
