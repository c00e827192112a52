"""A record of the audit trail as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from charrua_core.audit import Event
from charrua_web.setup.saying import N_, Said

EVENTS: Mapping[str, Said] = {
    Event.APPLICATION_ACTIVITY: N_("Server"),
    Event.AUDIT_LOG_USED: N_("Audit trail read"),
    Event.BEGIN_TRANSFERRING: N_("Transfer begun"),
    Event.INSTANCES_ACCESSED: N_("Objects seen or changed"),
    Event.INSTANCES_TRANSFERRED: N_("Objects transferred"),
    Event.STUDY_DELETED: N_("Study deleted"),
    Event.EXPORT: N_("Export"),
    Event.IMPORT: N_("Import"),
    Event.NETWORK_ENTRY: N_("Network"),
    Event.ORDER_RECORD: N_("Order"),
    Event.PATIENT_RECORD: N_("Patient"),
    Event.PROCEDURE_RECORD: N_("Procedure"),
    Event.QUERY: N_("Search"),
    Event.SECURITY_ALERT: N_("Set-up and security"),
    Event.USER_AUTHENTICATION: N_("Log-in"),
}
"""What the events of PS3.15 A.5 are called here."""
Row = Mapping[str, Any]
_Say = Callable[[Row, Mapping[str, Any]], Said | None]


def sentence(row: Row) -> Said:
    """Say what happened. The detail of the record stands beside it."""
    detail: Mapping[str, Any] = row["detail"] or {}
    say = _SENTENCES.get(row["event"])
    said = say(row, detail) if say else None
    return said or _plain(row)


def _plain(row: Row) -> Said:
    known = EVENTS.get(row["event"])
    return N_("%(who)s: %(what)s", who=row["who"], what=known or row["event"])


def _server(row: Row, detail: Mapping[str, Any]) -> Said | None:
    known = {
        "start": N_("The server started."),
        "stop": N_("The server stopped."),
        "restart": N_("%(who)s restarted the server.", who=row["who"]),
        "check": N_("%(who)s had the archive checked.", who=row["who"]),
    }
    return known.get(str(detail.get("type")))


def _trail(row: Row, _detail: Mapping[str, Any]) -> Said:
    return N_("%(who)s read the audit trail.", who=row["who"])


def _transfer(row: Row, detail: Mapping[str, Any]) -> Said | None:
    who = row["who"]
    if row["action"] == "C":
        stored, failed = detail.get("stored", 0), detail.get("failed", 0)
        if failed:
            return N_(
                "%(who)s sent objects: %(stored)s stored, %(failed)s refused.", who=who, stored=stored, failed=failed
            )
        return N_("%(who)s sent objects: %(stored)s stored.", who=who, stored=stored)
    to = detail.get("destination") or row["origin"].get("called_aet")
    if row["origin"].get("kind") == "job":
        return N_("The archive sent %(objects)s objects to %(to)s.", objects=detail.get("objects", 0), to=to)
    if "refused" in detail:
        return N_("%(who)s asked for objects to go to %(to)s and was refused.", who=who, to=to)
    if "sent" in detail:
        return N_("%(who)s fetched %(sent)s objects to %(to)s.", who=who, sent=detail["sent"], to=to)
    return N_("%(who)s fetched %(objects)s objects.", who=who, objects=detail.get("objects", 0))


def _begun(row: Row, detail: Mapping[str, Any]) -> Said | None:
    if to := detail.get("destination"):
        objects = detail.get("objects", "?")
        return N_("%(who)s asked for %(objects)s objects to go to %(to)s.", who=row["who"], objects=objects, to=to)
    return N_("%(who)s began to send a study.", who=row["who"])


def _accessed(row: Row, detail: Mapping[str, Any]) -> Said | None:
    if row["action"] == "R":
        return N_("%(who)s looked at %(objects)s objects.", who=row["who"], objects=detail.get("objects", 1))
    kind = _KINDS.get(str(detail.get("kind")), str(detail.get("kind", "?")))
    return N_("%(who)s changed studies: %(kind)s.", who=row["who"], kind=kind)


def _deleted(row: Row, detail: Mapping[str, Any]) -> Said:
    if detail.get("kind") == "purge":
        return N_("The files of what was deleted were removed for good.")
    return N_("%(who)s deleted studies, or parts of them.", who=row["who"])


def _export(row: Row, detail: Mapping[str, Any]) -> Said | None:
    if to := detail.get("destination"):
        return N_("%(who)s had studies sent to %(to)s.", who=row["who"], to=to)
    return N_("%(who)s took studies out of the archive.", who=row["who"])


def _search(row: Row, detail: Mapping[str, Any]) -> Said:
    values = {"who": row["who"], "matches": detail.get("matches", 0), "level": str(detail.get("level", "")).lower()}
    return N_("%(who)s searched (%(level)s): %(matches)s found.", **values)


def _alert(row: Row, detail: Mapping[str, Any]) -> Said | None:
    values = {"who": row["who"], **{name: value for name, value in detail.items() if isinstance(value, str | int)}}
    if "setting" in detail:
        return N_("%(who)s set %(setting)s to “%(value)s”.", **{"value": "", **values})
    if "peer" in detail:
        return {
            "C": N_("%(who)s added the remote server %(peer)s.", **values),
            "D": N_("%(who)s removed the remote server %(peer)s.", **values),
        }.get(row["action"], N_("%(who)s changed the remote server %(peer)s.", **values))
    if "user" in detail:
        return {
            "C": N_("%(who)s added something to the user %(user)s.", **values)
            if "changed" in detail
            else N_("%(who)s added the user %(user)s.", **values),
            "D": N_("%(who)s removed something of the user %(user)s.", **values)
            if "changed" in detail
            else N_("%(who)s removed the user %(user)s.", **values),
        }.get(row["action"], N_("%(who)s changed the user %(user)s: %(changed)s.", **{"changed": "", **values}))
    if "routing_rule" in detail:
        return N_("%(who)s changed the routing rule %(routing_rule)s.", **values)
    if "refused" in detail:
        return N_("%(who)s was refused: %(refused)s.", **values)
    return N_("Alert: %(reason)s.", **values) if "reason" in detail else None


def _log_in(row: Row, detail: Mapping[str, Any]) -> Said:
    if detail.get("type") == "logout":
        return N_("%(who)s logged out.", who=row["who"])
    if row["succeeded"]:
        return N_("%(who)s logged in.", who=row["who"])
    return N_("%(who)s could not log in: %(reason)s.", who=row["who"], reason=detail.get("reason", "?"))


_KINDS = {
    "edit": N_("edited"),
    "assign_study": N_("a study assigned to a patient"),
    "assign_series": N_("a series assigned to a study"),
    "merge": N_("merged"),
    "undo": N_("taken back"),
}
_SENTENCES: Mapping[str, _Say] = {
    Event.APPLICATION_ACTIVITY: _server,
    Event.AUDIT_LOG_USED: _trail,
    Event.BEGIN_TRANSFERRING: _begun,
    Event.INSTANCES_ACCESSED: _accessed,
    Event.INSTANCES_TRANSFERRED: _transfer,
    Event.STUDY_DELETED: _deleted,
    Event.EXPORT: _export,
    Event.QUERY: _search,
    Event.SECURITY_ALERT: _alert,
    Event.USER_AUTHENTICATION: _log_in,
}
