"""Acceptance tests use the system that the integration tests start."""

from __future__ import annotations

from tests.integration.conftest import running_system, state_root

__all__ = ["running_system", "state_root"]
