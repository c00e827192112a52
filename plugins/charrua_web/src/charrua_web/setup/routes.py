"""The calls of Set-up, from the modules that answer them."""

from __future__ import annotations

from charrua_web.setup import audit_calls, peer_calls, plugin_calls, setting_calls, storage_calls, trouble_calls

ROUTES = (
    *setting_calls.ROUTES,
    *peer_calls.ROUTES,
    *trouble_calls.ROUTES,
    *plugin_calls.ROUTES,
    *storage_calls.ROUTES,
    *audit_calls.ROUTES,
)
