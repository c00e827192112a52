"""What the conformance statement says of performed procedure steps (PS3.4 F.7.4.2)."""

from __future__ import annotations

from collections.abc import Iterable

from charrua_core.dicom.n_services import keyword
from charrua_hl7.performed.requirements import NEVER_SET, PRESENT, VALUED


def about() -> str:
    """Give it as Markdown."""
    return (
        "N-CREATE asks for these attributes with a value, and for Study Instance UID in each item of the sequence:\n"
        f"{_listed(VALUED)}. Taken as empty where they are missing: {_listed(PRESENT)}. All others are kept as well.\n\n"
        f"N-SET may change all attributes but these: {_listed(sorted(NEVER_SET))}. COMPLETED asks for Performed Procedure\n"
        "Step End Date and Time, and for at least one item in Performed Series Sequence, each with its Series Instance UID;\n"
        "DISCONTINUED for nothing.\n\n"
        "A step brings the entries of the worklist that it performs to STARTED. They become COMPLETED once all of their steps\n"
        "are over and one of them is COMPLETED, DISCONTINUED where all are; a step that was discontinued because of the wrong\n"
        "entry (110514, DCM) gives its entry back as SCHEDULED. The archive changes no attribute of a step, and no state. A\n"
        "step is kept as long as the setting `mpps_retention` says. Steps are passed on to the peers of `mpps_forward_to`, by\n"
        "N-CREATE and N-SET, with the SOP Instance UID that they have."
    )


def _listed(tags: Iterable[str]) -> str:
    return ", ".join(keyword(int(tag, 16)) for tag in tags)
