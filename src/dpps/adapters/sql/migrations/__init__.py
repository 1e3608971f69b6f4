"""Alembic environment of the database ``dpps``: one line of revisions for all schemas."""
