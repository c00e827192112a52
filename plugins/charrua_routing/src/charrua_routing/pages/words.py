"""Rules and sendings in words: what is wanted and what is done, each as a pair of an English label and a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from charrua_routing.marking import N_

Said = list[tuple[str, str]]

SYNTAX_NAMES: Mapping[int, str] = {
    0: N_("as stored"),
    1: N_("Explicit VR Little Endian"),
    2: N_("Implicit VR Little Endian"),
    3: N_("JPEG Lossless"),
    4: N_("JPEG Lossy"),
    5: N_("JPEG 2000 Lossless"),
    6: N_("JPEG 2000 Lossy"),
}
"""The manual's numbers of transfer syntaxes (appendix 5.2)."""
CONDITIONS: Mapping[str, str] = {
    "from": N_("From"),
    "to": N_("To this AE title"),
    "modality": N_("Modality"),
    "transfer_syntax": N_("Transfer syntax"),
    "referring_physician": N_("Referring physician"),
    "institution": N_("Institution"),
    "study_description": N_("Study description"),
    "between": N_("Comes between"),
    "weekdays": N_("On these days"),
    "between, weekdays": N_("Comes between"),
}
"""What a rule may ask for, with its label."""
DAYS: Mapping[str, str] = {
    "mon": N_("Mon"),
    "tue": N_("Tue"),
    "wed": N_("Wed"),
    "thu": N_("Thu"),
    "fri": N_("Fri"),
    "sat": N_("Sat"),
    "sun": N_("Sun"),
}
"""What the days of WEEKDAYS are called."""
KEPT_BY = (N_("it came from there"), N_("it was sent there before"), N_("it comes round again and again"))
"""What may keep an object from being sent, as an explanation says it."""
LEVELS: Mapping[str, str] = {
    "object": N_("single objects"),
    "series": N_("whole series"),
    "study": N_("whole studies"),
}
MENDING: Mapping[str, str] = {
    "PeerUnreachable": N_(
        "It cannot be reached. Is it on, are address and port right, does a firewall stop this archive?"
    ),
    "AssociationRejected": N_("It rejects this archive. Does it know this archive's AE title and address?"),
    "AssociationAborted": N_("It broke the connection off. Its log says why."),
    "DimseTimeout": N_("It does not answer in time. Is it overloaded, is its timeout long enough?"),
    "ContextNotAccepted": N_("It takes none of the transfer syntaxes in which this can be sent."),
    "PeerUnknown": N_("It is not known here. Add it as a remote server."),
    "DestinationUnknown": N_("There is no such destination. Add it, or change the rule that names it."),
    "StudyNotFound": N_("The study is no longer here."),
    "NotDeidentifiable": N_("This cannot be de-identified, so it is not sent."),
}
"""What to do where a sending failed, by the name of the error that its job tells first."""
_SAID_BY_MENDING = frozenset({"PeerUnknown", "DestinationUnknown", "StudyNotFound"})
_NUMBERED = re.compile(r"\[Errno -?\d+\] ")
STATES: Mapping[str, tuple[str, str]] = {
    "waiting": (N_("Waiting"), "info"),
    "trying": (N_("Tries again"), "warn"),
    "running": (N_("Sending"), "busy"),
    "done": (N_("Sent"), "good"),
    "dead": (N_("Given up"), "bad"),
}
"""The states of a sending on the page: what each is called, and of which kind that is."""


_DONE = (N_("Sends"), N_("As"), N_("At"), N_("After"), N_("With earlier studies"))
OURS = frozenset({*CONDITIONS.values(), *LEVELS.values(), *SYNTAX_NAMES.values(), *_DONE})
"""The labels and values that are this plugin's own words: pages translate no others, which people have written."""


def wanted(document: Mapping[str, Any]) -> Said:
    """Give the conditions of a rule."""
    when = document.get("when") or {}
    said = [(label, listed(when[name])) for name, label in CONDITIONS.items() if when.get(name)]
    for one in when.get("attributes") or ():
        sign = str(one.get("is") or "=")
        value = "" if sign in ("present", "absent") else f" {listed(one.get('value'))}"
        said.append((str(one.get("attribute", "")), (sign if sign != "=" else "") + value))
    return said


def done(document: Mapping[str, Any]) -> Said:
    """Give what a rule does with what it takes, beyond where it goes."""
    said = [("Sends", LEVELS.get(str(document.get("level") or "object"), ""))]
    if number := document.get("send_as"):
        said.append(("As", SYNTAX_NAMES.get(number, str(number))))
    if between := document.get("send_between"):
        said.append(("At", str(between)))
    if delay := document.get("delay_s"):
        said.append(("After", span(int(delay))))
    if count := (document.get("priors") or {}).get("count"):
        said.append(("With earlier studies", str(count)))
    said += [(name, _option(value)) for name, value in (document.get("options") or {}).items()]
    return said


def failure(last_error: str) -> tuple[str, str]:
    """Give what went wrong with a sending, and what to do about it; one of them may be "", as the other says it all."""
    name, colon, said = last_error.partition(": ")
    if not colon or not name.isidentifier():
        return _sentence(last_error), ""
    mend = MENDING.get(name, "")
    return ("" if name in _SAID_BY_MENDING else _sentence(said)), mend


def _sentence(said: str) -> str:
    said = _NUMBERED.sub("", said)
    first = said.partition(" ")[0]
    said = said if "." in first.rstrip(".,:") else said[:1].upper() + said[1:]  # a host's name stays as it is
    return said if said.endswith((".", "?", "!")) else f"{said}."


def listed(values: Any) -> str:
    """Give values as people write them, parted by commas; one that has a comma stands in quotes."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        values = [] if values is None else [values]
    return ", ".join(f'"{one}"' if "," in str(one) else str(one) for one in values)


def span(seconds: int) -> str:
    """Give a length of time: `90 s`, `5 min`, `2 h`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _option(value: Any) -> str:
    return ", ".join(f"{name} = {one}" for name, one in value.items()) if isinstance(value, Mapping) else listed(value)
