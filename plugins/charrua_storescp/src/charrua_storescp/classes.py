"""Which SOP classes and transfer syntaxes are stored: those of the standard, and by setting all that nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.dicom.storage_classes import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES, is_unknown

if TYPE_CHECKING:
    from charrua_core.settings import Settings


def takes_sop_class(settings: Settings, uid: str) -> bool:
    """Whether objects of this SOP class are stored."""
    return uid in STORAGE_SOP_CLASSES or (settings["unknown_sop_classes"] and is_unknown(uid))


def chosen_syntax(settings: Settings, offered: Sequence[str]) -> str | None:
    """The peer's first proposal that is taken: what it prefers is what it need not transcode."""
    unknown = settings["unknown_transfer_syntaxes"]
    return next((uid for uid in offered if uid in TRANSFER_SYNTAXES or (unknown and is_unknown(uid))), None)
