"""Which SOP classes and transfer syntaxes are stored: those of the standard, and by setting all that nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydicom._uid_dict import UID_dictionary
from pynetdicom import sop_class

from charrua_core.types import is_valid_uid

if TYPE_CHECKING:
    from charrua_core.settings import Settings

# Composite objects that belong to no patient have a service class of their own (PS3.4 GG, KK): they have no study to be
# filed under. A DICOMDIR is never sent; Storage Commitment and Storage Management are other services.
_OTHERS = ("Storage Commitment", "Storage Management", "Media Storage Directory")
_WITHOUT_PATIENT = frozenset(
    uid
    for group in (
        sop_class._NON_PATIENT_OBJECT_CLASSES,
        sop_class._HANGING_PROTOCOL_CLASSES,
        sop_class._COLOR_PALETTE_CLASSES,
        sop_class._IMPLANT_TEMPLATE_CLASSES,
        sop_class._DEFINED_PROCEDURE_CLASSES,
        sop_class._PROTOCOL_APPROVAL_CLASSES,
        sop_class._INVENTORY_CLASSES,
    )
    for uid in group.values()
)


def _is_storage(name: str) -> bool:
    return "Storage" in name and not name.startswith(_OTHERS)


STORAGE_SOP_CLASSES = (
    frozenset(sop_class._STORAGE_CLASSES.values())
    | frozenset(uid for uid, entry in UID_dictionary.items() if entry[1] == "SOP Class" and _is_storage(entry[0]))
) - _WITHOUT_PATIENT
"""The storage SOP classes of PS3.4 B.5, retired ones too."""

TRANSFER_SYNTAXES = frozenset(uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax")
"""The transfer syntaxes of PS3.6 A, retired ones too."""


def takes_sop_class(settings: Settings, uid: str) -> bool:
    """Whether objects of this SOP class are stored."""
    if uid in STORAGE_SOP_CLASSES:
        return True
    return settings["unknown_sop_classes"] and uid not in UID_dictionary and is_valid_uid(uid)


def chosen_syntax(settings: Settings, offered: Sequence[str]) -> str | None:
    """The peer's first proposal that is taken: what it prefers is what it need not transcode."""
    unknown = settings["unknown_transfer_syntaxes"]
    return next((uid for uid in offered if uid in TRANSFER_SYNTAXES or (unknown and is_valid_uid(uid))), None)
