"""All settings of this plugin, from the modules that obey them."""

from __future__ import annotations

from charrua_web import choices
from charrua_web.actions import attaching
from charrua_web.dicomweb import stow
from charrua_web.media import choices as media
from charrua_web.uploads import limits as uploads
from charrua_web.viewer import choices as viewer

SETTINGS = (
    *choices.SETTINGS,
    *stow.SETTINGS,
    *uploads.SETTINGS,
    *attaching.SETTINGS,
    *viewer.SETTINGS,
    *media.SETTINGS,
)
