"""The conformance statement of this archive as an Application Entity (PS3.2), printed from what is registered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from charrua_core.archive.datasets.charsets import CODECS
from charrua_core.archive.datasets.recode import TARGETS
from charrua_core.audit import Event
from charrua_core.dicom.command import CommandField
from charrua_core.dicom.dispatch import ServiceClass
from charrua_core.dicom.limits import Limits
from charrua_core.dicom.pdu import APPLICATION_CONTEXT
from charrua_core.dicom.storage_classes import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES, name_of
from charrua_core.dicom.tls import CIPHERS
from charrua_core.types import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_LIMITS: tuple[tuple[str, str, str], ...] = (
    ("max_pdu", "Maximum PDU size received", "bytes"),
    ("max_send_pdu", "Maximum PDU size sent, within the peer's maximum", "bytes"),
    ("max_contexts", "Presentation contexts in one association request", ""),
    ("max_associations", "Simultaneous associations as acceptor", ""),
    ("reserved_associations", "Of these, kept for known AEs", ""),
    ("artim_s", "ARTIM time-out, TLS handshake included", "s"),
    ("pdu_timeout_s", "Time-out for the rest of a PDU", "s"),
    ("dimse_timeout_s", "Time-out for the rest of a message, for a response and for a peer that does not read", "s"),
    ("idle_timeout_s", "Time-out for an idle association", "s"),
)
_STORAGE = "the [storage SOP classes](#storage-sop-classes)"
_SYNTAXES = "the [transfer syntaxes of objects](#transfer-syntaxes-of-objects)"
_VENDORS_UID = "2.25.1"
"""Stands for all UIDs that PS3.6 does not know."""


def conformance_statement(service_classes: Sequence[ServiceClass], limits: Limits) -> str:
    """Markdown: services as SCP and SCU, association policies, SOP classes, syntaxes, character sets, security."""
    services = [line for service in service_classes for line in _service(service)]
    parts = (
        _overview(service_classes),
        _policies(limits),
        services,
        _sending(),
        ["## Storage SOP classes", "", *_table(("SOP class", "UID"), _named(STORAGE_SOP_CLASSES))],
        ["## Transfer syntaxes of objects", "", *_table(("Transfer syntax", "UID"), _named(TRANSFER_SYNTAXES))],
        _character_sets(),
        _security(),
    )
    return "\n".join(line for part in parts for line in (*part, "")).rstrip()


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(str(cell).strip() for cell in row)} |"


def _named(uids: Iterable[str]) -> list[tuple[str, str]]:
    return sorted((name_of(uid) or "Private", f"`{uid}`") for uid in uids)


def _overview(service_classes: Sequence[ServiceClass]) -> Iterable[str]:
    as_scp = [(one.name, _roles(one), _commands(one)) for one in service_classes]
    as_scu = [("Verification", "SCU", "C-ECHO"), ("Storage (routing, sending, C-MOVE)", "SCU", "C-STORE")]
    return ("## AE specification", "", *_table(("Service", "This AE is", "Requests"), [*as_scp, *as_scu]))


def _roles(service: ServiceClass) -> str:
    """The archive plays what its requestor does not."""
    return " and ".join(word for word, plays in (("SCP", service.roles.scu), ("SCU", service.roles.scp)) if plays)


def _commands(service: ServiceClass) -> str:
    names = (CommandField(number).name.replace("_", "-", 1) for number in sorted(service.commands))
    return ", ".join(names) or "C-STORE, sent"


def _policies(limits: Limits) -> Iterable[str]:
    rows = [(words, f"{getattr(limits, name):g} {unit}") for name, words, unit in _LIMITS]
    return (
        "## Association policies",
        "",
        f"- Application context name: `{APPLICATION_CONTEXT}`",
        f"- Implementation class UID: `{IMPLEMENTATION_CLASS_UID}`",
        f"- Implementation version name: `{IMPLEMENTATION_VERSION_NAME}`",
        "- Asynchronous operations: none (window 1, 1); a request is answered before the next one is read, C-CANCEL apart",
        "- Transfer syntax chosen: the first that the requestor offers and the service takes",
        "- SCP/SCU role selection: for the storage SOP classes of C-GET; user identity negotiation: "
        "name and passcode, by the setting `dicom_user_identity`; else ignored",
        "",
        *_table(("Limit", "Value"), rows),
    )


def _service(service: ServiceClass) -> Iterator[str]:
    yield from (f"## {service.name}", "")
    yield from (f"This AE is {_roles(service)}. Requests: {_commands(service)}.", "")
    uids = _sop_classes(service)
    if uids >= STORAGE_SOP_CLASSES:
        more = ", and those that PS3.6 does not know" if service.takes(_VENDORS_UID) else ""
        yield f"SOP classes: {_STORAGE}{more}."
    else:
        yield from _table(("SOP class", "UID"), _named(uids))
    yield from ("", f"Transfer syntaxes: {_syntaxes(service, min(uids, default=''))}.", "")
    if service.statuses:
        rows = [(f"{status:04X}", words) for status, words in sorted(service.statuses.items())]
        yield from (*_table(("Status", "Meaning"), rows), "")
    if service.about is not None:
        yield from (service.about(), "")


def _sop_classes(service: ServiceClass) -> set[str]:
    """Those of a set, or those of storage for which a predicate holds."""
    given = STORAGE_SOP_CLASSES if callable(service.sop_classes) else service.sop_classes
    return {uid for uid in given if service.takes(uid)}


def _syntaxes(service: ServiceClass, sop_class_uid: str) -> str:
    def takes(uid: str) -> bool:
        return service.transfer_syntaxes(sop_class_uid, [uid], None) == uid

    taken = {uid for uid in TRANSFER_SYNTAXES if takes(uid)}
    if taken == TRANSFER_SYNTAXES:
        return _SYNTAXES + (", and those that PS3.6 does not know" if takes(_VENDORS_UID) else "")
    return _listed(taken)


def _listed(uids: Iterable[str]) -> str:
    return ", ".join(f"{name} ({uid})" for name, uid in _named(uids))


def _sending() -> Iterable[str]:
    return (
        "## Storage as SCU",
        "",
        "Objects are sent in the transfer syntax in which they are stored where the peer takes it. Else they are brought into "
        f"{_listed(TARGETS)}, or, on an association that has neither for them, into a lossless compression, with the same "
        "pixel values. Video is sent as it is stored only. With the setting `send_lossy`, a peer that takes nothing else is "
        "offered lossy compressions; what is sent then is a derived image with a SOP Instance UID of its own.",
        "A retrieval counts a C-STORE status of 0000 as completed, Bxxx, 0001, 0107 and 0116 as a warning, others as failed.",
        "Routing and sending try again later what a peer did not take, and end the association at A7xx (out of resources).",
    )


def _character_sets() -> Iterable[str]:
    terms = ", ".join(f"`{term}`" for term in sorted(CODECS) if term)
    return (
        "## Character sets",
        "",
        f"Specific Character Set (0008,0005) read, with ISO 2022 escapes: the default repertoire, {terms}.",
        "Answers are in the character set of the request, in `ISO_IR 192` where that cannot write them.",
        "",
        "A peer that is known to read one alone (`charrua peer add --character-set`) is told what C-FIND finds in that one.",
        "Component groups of a name that it cannot write are left out where another remains; letters lose their accents or",
        "become `?`. An answer with an identifier (Patient ID, Accession Number …) that it cannot write is in `ISO_IR 192`.",
    )


def _security() -> Iterable[str]:
    events = ", ".join(f"{event.name.replace('_', ' ').lower()} ({event})" for event in Event)
    return (
        "## Security",
        "",
        "- TLS (PS3.15 B.12, BCP 195 RFC 8996 profile): TLS 1.3, and TLS 1.2 with "
        + ", ".join(f"`{cipher}`" for cipher in CIPHERS.split(":")),
        "- Peers' certificates, by the setting `dicom_tls`: not asked for, checked where given, or required",
        "- AEs: `verify_aets`, `verify_addresses` and `unknown_aets_may` say who may open an association and what for; each",
        "  known AE has permissions of its own and may be limited to a part of the archive",
        f"- Audit trail, events of PS3.15 A.5: {events}",
    )
