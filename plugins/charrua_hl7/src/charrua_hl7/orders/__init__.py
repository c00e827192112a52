"""Orders and appointments: what their messages make of the worklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrua_hl7.orders.taking import EVENTS, take_orders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from charrua_hl7.processing import Several

ORDER_HANDLERS: Mapping[str, Several] = dict.fromkeys(EVENTS, take_orders)
