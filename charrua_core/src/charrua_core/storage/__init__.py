"""Where the objects lie: numbered volumes, each a folder that a person can read.

Objects enter a volume by `Volume.place_many`, after which they are there for good, and leave it by `Volume.remove`.
"""

from __future__ import annotations

from charrua_core.storage.area import Health, StorageArea
from charrua_core.storage.placing import Placing, object_path
from charrua_core.storage.volume import Volume
from charrua_core.storage.volumes import SETTINGS, Volumes

__all__ = ["SETTINGS", "Health", "Placing", "StorageArea", "Volume", "Volumes", "object_path"]
