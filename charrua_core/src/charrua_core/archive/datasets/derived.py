"""UIDs for objects whose makers gave them no study or series: the same for all that belong together, whenever they come.

A data set without them breaks PS3.3 C.7.2.1 and C.7.3.1, but its image is as good as any other; refused, it would be lost.
Objects that belong to no patient have none by right (PS3.4 GG): they are filed alike, and leave as they came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID = "0020000D", "0020000E", "00080018"

# Issuer and Patient ID, name; what tells one examination from another; modality, number and description of a series.
_PATIENT = ("00100021", "00100020", "00100010")
_STUDY = ("00080020", "00080030", "00080050", "00200010")
_SERIES = ("00080060", "00200011", "0008103E")

WITHOUT_PATIENT = frozenset(
    {
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol Storage
        "1.2.840.10008.5.1.4.39.1",  # Color Palette Storage
        "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template Storage
        "1.2.840.10008.5.1.4.44.1",  # Implant Assembly Template Storage
        "1.2.840.10008.5.1.4.45.1",  # Implant Template Group Storage
        "1.2.840.10008.5.1.4.1.1.200.1",  # CT Defined Procedure Protocol Storage
        "1.2.840.10008.5.1.4.1.1.200.3",  # Protocol Approval Storage
        "1.2.840.10008.5.1.4.1.1.200.7",  # XA Defined Procedure Protocol Storage
        "1.2.840.10008.5.1.4.1.1.201.1",  # Inventory Storage
    }
)
"""The SOP classes of composite objects that have no patient, study or series (PS3.4 GG.3)."""


def derived_uids(facts: Mapping[str, str]) -> dict[str, str]:
    """The study's and the series' UID where the facts of an object (tag → value) lack them, by tag."""
    derived: dict[str, str] = {}
    study_uid = facts.get(STUDY_INSTANCE_UID)
    if not study_uid:
        study_uid = derived[STUDY_INSTANCE_UID] = _uid(facts, _PATIENT + _STUDY, _STUDY)
    if not facts.get(SERIES_INSTANCE_UID):
        derived[SERIES_INSTANCE_UID] = _uid(facts, _SERIES, ("00200011",), study_uid)
    return derived


def _uid(facts: Mapping[str, str], tags: tuple[str, ...], telling: tuple[str, ...], *more: str) -> str:
    """A UID of the form 2.25 (PS3.5 B.2) of these values; of the object alone where nothing tells its kind."""
    values = [*more, *(facts.get(tag, "") for tag in tags)]
    if not any(facts.get(tag) for tag in telling):
        values.append(facts.get(SOP_INSTANCE_UID, ""))
    digest = hashlib.blake2b("\0".join(values).encode("utf-8", "replace"), digest_size=16).digest()
    return f"2.25.{int.from_bytes(digest, 'big')}"
