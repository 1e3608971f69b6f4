"""Implementations of the ports on PostgreSQL, through SQLAlchemy."""
