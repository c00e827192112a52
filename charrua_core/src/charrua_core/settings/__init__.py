"""Settings: declared once, read from the environment, the database, `charrua.toml` or their default, in that order."""

from __future__ import annotations

from charrua_core.settings.declaration import Setting, SettingType
from charrua_core.settings.files import config_path, read_config
from charrua_core.settings.values import CHANNEL, SettingChange, Settings, Source

__all__ = ["CHANNEL", "Setting", "SettingChange", "SettingType", "Settings", "Source", "config_path", "read_config"]
