"""Bulk data management: ingest, replicate, preserve, verify, query, retrieve."""
