"""Product metadata, logical file names and provenance: the only importer of ``ctao_datamodel``."""
