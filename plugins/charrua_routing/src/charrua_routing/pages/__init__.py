"""The pages of routing: rules with versions and try-out, destinations, and the queue of sendings."""

from __future__ import annotations

from charrua_routing.pages.destination_pages import PAGES as DESTINATION_PAGES
from charrua_routing.pages.queue_pages import PAGES as QUEUE_PAGES
from charrua_routing.pages.rule_pages import PAGES as RULE_PAGES
from charrua_routing.pages.scripts import ROUTES

PAGES = (*RULE_PAGES, *DESTINATION_PAGES, *QUEUE_PAGES)

__all__ = ["PAGES", "ROUTES"]
