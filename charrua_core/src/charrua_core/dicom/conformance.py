"""The network part of the conformance statement (PS3.2 A.4), printed from what is registered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydicom._uid_dict import UID_dictionary

from charrua_core.dicom.command import CommandField
from charrua_core.dicom.dispatch import Roles, ServiceClass
from charrua_core.dicom.limits import Limits
from charrua_core.dicom.pdu import APPLICATION_CONTEXT
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


def conformance_statement(service_classes: Sequence[ServiceClass], limits: Limits) -> str:
    """Markdown: association policies, limits, and the SOP classes of each service as SCP."""
    parts = [_policies(), _limits(limits), *(_service(service) for service in service_classes)]
    return "\n".join(parts)


def _policies() -> str:
    return "\n".join(
        (
            "## Association policies",
            "",
            f"- Application context name: `{APPLICATION_CONTEXT}`",
            f"- Implementation class UID: `{IMPLEMENTATION_CLASS_UID}`",
            f"- Implementation version name: `{IMPLEMENTATION_VERSION_NAME}`",
            "- Asynchronous operations: none (window 1, 1)",
            "- Transfer syntax chosen: the first that the requestor offers and the service takes",
            "",
        )
    )


def _limits(limits: Limits) -> str:
    rows = [f"| {words} | {getattr(limits, name):g} {unit} |" for name, words, unit in _LIMITS]
    return "\n".join(("## Limits", "", "| Limit | Value |", "|---|---|", *rows, ""))


def _service(service: ServiceClass) -> str:
    commands = ", ".join(CommandField(field).name.replace("_", "-", 1) for field in sorted(service.commands)) or "none"
    rows = [f"| {name} | `{uid}` |" for name, uid in sorted(_sop_classes(service))]
    return "\n".join(
        (
            f"## {service.name}",
            "",
            f"Requestor's roles: {_roles(service.roles)}. Requests answered: {commands}.",
            "",
            "| SOP class | UID |",
            "|---|---|",
            *rows,
            "",
        )
    )


def _roles(roles: Roles) -> str:
    return " and ".join(word for word, plays in (("SCU", roles.scu), ("SCP", roles.scp)) if plays)


def _sop_classes(service: ServiceClass) -> Iterable[tuple[str, str]]:
    """Name and UID: those of a set, or those standard ones for which a predicate holds."""
    if callable(service.sop_classes):
        found = [uid for uid, entry in UID_dictionary.items() if "SOP Class" in entry[1] and service.takes(uid)]
    else:
        found = list(service.sop_classes)
    for uid in found:
        entry = UID_dictionary.get(uid)
        yield (entry[0] if entry else "Private SOP class", uid)
