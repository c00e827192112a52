"""What runs for as long as the archive does: listeners, followers, job workers, timers."""

from __future__ import annotations

from charrua_core.services.service import ALL_ROLES, Background, Role, Service, run_services
from charrua_core.services.sockets import AddressTaken, Sockets, bind

__all__ = ["ALL_ROLES", "AddressTaken", "Background", "Role", "Service", "Sockets", "bind", "run_services"]
