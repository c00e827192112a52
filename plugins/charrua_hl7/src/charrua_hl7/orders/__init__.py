"""Orders and appointments: what their messages make of the worklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from charrua_hl7.processing import Handler

ORDER_HANDLERS: Mapping[str, Handler] = {}
