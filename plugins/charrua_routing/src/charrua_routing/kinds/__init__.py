"""The kinds of destinations that this plugin brings."""

from __future__ import annotations

from charrua_core.sending import DestinationKind
from charrua_routing.kinds import folder, object_store, stow, webhook
from charrua_routing.virtual import jpeg, json_server


def kinds() -> list[DestinationKind]:
    """Give them."""
    return [stow.KIND, folder.KIND, object_store.KIND, webhook.KIND, jpeg.KIND, json_server.KIND]
