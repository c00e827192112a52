"""What runs for as long as the archive does: listeners, followers, job workers, timers."""

from __future__ import annotations

from charrua_core.services.service import ALL_ROLES, Background, Role, Service, run_services

__all__ = ["ALL_ROLES", "Background", "Role", "Service", "run_services"]
