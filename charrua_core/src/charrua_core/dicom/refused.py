"""What the acceptor refuses, in the words that an administrator needs to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from charrua_core.dicom import measured
from charrua_core.dicom.command import CommandField
from charrua_core.dicom.message import Message
from charrua_core.dicom.negotiate import ABSTRACT_SYNTAX_NOT_SUPPORTED, ACCEPTED
from charrua_core.dicom.pdu import LOCAL_LIMIT_EXCEEDED, REJECTIONS, AssociateAC, AssociateRQ, Rejection
from charrua_core.dicom.storage_classes import name_of

_MOST_NAMES = 3
_TROUBLES = frozenset({"out of resources", "failure"})
_COMMANDS = {int(one): one.name.replace("_", "-") for one in CommandField}


def rejection(given: Rejection) -> tuple[str, str]:
    """Give the kind of trouble and the reason of a rejection that nobody but the acceptor itself has decided."""
    if given == LOCAL_LIMIT_EXCEEDED:
        return "no_room", ""
    return "protocol", REJECTIONS.get((0, given.source), {}).get(given.reason, "the request cannot be read")


def contexts(request: AssociateRQ, answer: AssociateAC) -> dict[str, str]:
    """Name the SOP classes that were proposed and got no presentation context at all, and why; empty where each has one."""
    results = {result.id: result.result for result in answer.contexts}
    had = {one.abstract_syntax for one in request.contexts if results.get(one.id) == ACCEPTED}
    without = [one for one in request.contexts if one.abstract_syntax not in had]
    unknown = {one.abstract_syntax for one in without if results.get(one.id) == ABSTRACT_SYNTAX_NOT_SUPPORTED}
    others = {one.abstract_syntax for one in without} - unknown
    syntaxes = {syntax for one in without if one.abstract_syntax in others for syntax in one.transfer_syntaxes}
    facts = {"not_offered": _names(unknown)} if unknown else {}
    return facts | ({"not_taken": _names(others), "only_in": _names(syntaxes)} if others else {})


def operation(message: Message) -> dict[str, str]:
    """Give what is to be known of an operation that was refused or failed; empty for one that was neither."""
    if message.status is None or measured.outcome_of(message.status) not in _TROUBLES:
        return {}
    command = message.command
    facts = {
        "operation": _COMMANDS.get(command.command_field, f"{command.command_field:04X}H"),
        "status": f"{message.status:04X}",
        "sop_class": _name(message.context.abstract_syntax),
    }
    return {**facts, "destination": command.move_destination} if command.move_destination else facts


def _names(uids: Iterable[str]) -> str:
    names: Sequence[str] = sorted(map(_name, uids))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _name(uid: str) -> str:
    """The name of a SOP class or transfer syntax, the UID where it has none."""
    return name_of(uid).removesuffix(" Storage") or f"UID {uid}"
