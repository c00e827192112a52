"""Notes on a performed procedure step, for people: what its modality left out, what of it differs from the order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charrua_hl7.marking import N_

NOTES: Mapping[str, str] = {
    "filled_in": N_("The modality left out what the standard asks for; it is kept as empty."),
    "final_lacks": N_("The step is over without what the standard asks for then."),
    "not_set": N_("The modality tried to change what may not be changed."),
    "patient_differs": N_("The patient is another than that of the order."),
    "patient_of_another": N_(
        "An order of this accession number is of another patient, and not taken for that of the step."
    ),
    "step_unclear": N_("The step does not say which of several entries of the worklist it performs."),
    "forward_refused": N_("A peer that steps are forwarded to does not take this one."),
}
"""Note → what it says; the attributes, or the peer and its status, that it is about are told beside it."""


@dataclass(frozen=True, slots=True)
class Note:
    """A code of NOTES, and what it is about: keywords of attributes, never their values."""

    note: str
    of: tuple[str, ...] = ()


def rows(notes: Iterable[Note]) -> list[dict[str, Any]]:
    """Give notes as the column has them."""
    return [{"note": one.note, "of": list(one.of)} for one in notes]


def added(kept: Sequence[Mapping[str, Any]], notes: Iterable[Note]) -> list[Mapping[str, Any]]:
    """Give the notes that are kept with more of them, each once."""
    return [*kept, *(one for one in rows(notes) if one not in kept)]
