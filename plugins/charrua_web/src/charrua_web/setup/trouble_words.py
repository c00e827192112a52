"""Each trouble as a sentence, with the way to mend it, and what one click can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from charrua_core.trouble import Trouble
from charrua_web.setup.saying import N_, Said

if TYPE_CHECKING:
    from charrua_core.app import App


@dataclass(frozen=True, slots=True)
class Mend:
    """Something that one click does: `peer` opens the dialog of a remote server filled in, `setting` changes one, `echo` tries
    to reach a peer, `page` leads to a page."""

    does: str
    label: Said
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """A trouble in words."""

    sentence: Said
    way: Said
    mends: tuple[Mend, ...] = ()


def told(app: App, one: Trouble) -> Told:
    """Say what went wrong and how it is mended."""
    values = {
        "who": one.who,
        "address": one.address,
        "own": app.settings["dicom_aet"],
        "reason": str(one.facts.get("reason", "")),
        **{name: str(value) for name, value in one.facts.items()},
    }
    if not one.who and not one.address and one.kind != "log_in":
        return Told(N_("There were more of this kind than are kept one by one: %(kind)s.", kind=one.kind), _LOOK)
    tell = _TELLERS.get(one.kind, _other)
    return tell(app, one, values)


def _called(app: App, _one: Trouble, values: Mapping[str, str]) -> Told:
    sentence = N_("%(who)s (%(address)s) called %(called)s; this archive is %(own)s.", **values)
    way = N_("Take %(called)s as a further name of this archive, or set the name %(own)s at %(who)s.", **values)
    others = app.settings["dicom_other_aets"]
    called = values.get("called", "")
    if not called or " " in called or called in others:
        return Told(sentence, way)
    given = {"name": "dicom_other_aets", "value": " ".join([*others, called])}
    return Told(sentence, way, (Mend("setting", N_("Take %(called)s as a name", **values), given),))


def _stranger(_app: App, one: Trouble, values: Mapping[str, str]) -> Told:
    return Told(
        N_("%(who)s (%(address)s) is not among the remote servers, and only known ones may come.", **values),
        N_("Add it with its port, if it belongs to you.", **values),
        (_add(one),),
    )


def _borrowed(app: App, one: Trouble, values: Mapping[str, str]) -> Told:
    peer = app.peers.find(one.who)
    where = {**values, "host": peer.host if peer else "?", "certificate": peer.certificate if peer else ""}
    if peer is not None and peer.certificate:
        sentence = N_("%(who)s came from %(address)s without the certificate by which it is known.", **where)
        way = N_("Have it show its certificate over TLS, or change how it is known here.")
    else:
        sentence = N_("%(who)s came from %(address)s, but is known at %(host)s: it was taken for a stranger.", **where)
        way = N_("Change its address if it has moved. If nobody moved it, somebody else uses its name.")
    return Told(sentence, way, (_add(one, peer.port if peer else 0),))


def _not_admitted(_app: App, _one: Trouble, values: Mapping[str, str]) -> Told:
    return Told(
        N_("%(who)s (%(address)s) was rejected: %(reason)s.", **values),
        N_("The reason says what is missing at the device."),
    )


def _no_room(_app: App, _one: Trouble, values: Mapping[str, str]) -> Told:
    return Told(
        N_("%(who)s (%(address)s) was rejected because too many associations were open.", **values),
        N_("See whether a device leaves its associations open; raise dicom_max_associations if the load is real."),
        (Mend("page", N_("To the setting"), {"path": "/setup/settings?q=dicom_max_associations"}),),
    )


def _tls(_app: App, _one: Trouble, values: Mapping[str, str]) -> Told:
    return Told(
        N_("A TLS connection from %(address)s failed: %(reason)s.", **values),
        N_("Does the device speak TLS at this port, and does it trust this archive's certificate?"),
        (Mend("page", N_("To the certificates"), {"path": "/setup/certificates"}),),
    )


def _protocol(_app: App, one: Trouble, values: Mapping[str, str]) -> Told:
    if values["reason"] in ("it speaks TLS", "it speaks HTTP"):
        sentence = N_("Something at %(address)s came to the DICOM port, but %(reason)s.", **values)
        return Told(sentence, N_("Set the right port at that device; TLS has a port of its own, see dicom_tls."))
    who = one.who or one.address
    sentence = N_("The association of %(name)s was aborted, as it broke the protocol: %(reason)s.", name=who, **values)
    return Told(sentence, N_("Should it stay so, give this sentence to the maker of the device."))


def _contexts(_app: App, _one: Trouble, values: Mapping[str, str]) -> Told:
    if "not_taken" in values:
        sentence = N_("%(who)s (%(address)s) offered %(not_taken)s only as %(only_in)s, which is not taken.", **values)
        return Told(sentence, N_("Let it offer another transfer syntax too, such as Explicit VR Little Endian."))
    sentence = N_("%(who)s (%(address)s) asked for what is not offered here: %(not_offered)s.", **values)
    return Told(sentence, N_("Turn it off at the device, or install the plugin that offers it."))


def _operation(_app: App, one: Trouble, values: Mapping[str, str]) -> Told:
    status = values.get("status", "")
    what = {**values, "reason": values["reason"] or f"status {status}H"}
    if "destination" in values and status == "A801":
        sentence = N_(
            "%(who)s asked to have studies sent to %(destination)s, which is not among the remote servers.", **what
        )
        mend = Mend("peer", N_("Add %(destination)s", **values), {"aet": values["destination"]})
        return Told(sentence, N_("Add %(destination)s with its address and port.", **values), (mend,))
    sentence = N_("%(operation)s of %(who)s (%(address)s) was refused: %(reason)s.", **what)
    if status == "0124":
        return Told(sentence, N_("Give it the right among the remote servers."), (_add(one),))
    page = _PAGES.get(values["reason"])
    mends = (Mend("page", N_("To the setting"), {"path": f"/setup/settings?q={page}"}),) if page else ()
    return Told(sentence, _WAYS.get(status[:2], _LOOK), mends)


def _sending(app: App, one: Trouble, values: Mapping[str, str]) -> Told:
    sentence = N_("Sending to %(who)s failed: %(reason)s.", **values)
    way = N_("It is tried again by itself. Test whether %(who)s can be reached.", **values)
    if app.peers.find(one.who) is None:
        return Told(sentence, N_("See the destination and what waits for it in the queue."))
    return Told(sentence, way, (Mend("echo", N_("Test %(who)s", **values), {"aet": one.who}),))


def _job(_app: App, _one: Trouble, values: Mapping[str, str]) -> Told:
    return Told(
        N_("A job of kind %(who)s was given up: %(reason)s.", **values), N_("The log has the details of each try.")
    )


def _log_in(_app: App, one: Trouble, values: Mapping[str, str]) -> Told:
    if values.get("scheme") == "bearer":
        sentence = N_("A token that is not in force was used from %(address)s.", **values)
        return Told(sentence, N_("Make a new token for the program that used it."))
    if one.who:
        sentence = N_("%(who)s could not log in from %(address)s: %(reason)s.", **values)
        return Told(
            sentence, N_("Give them a new password if they ask for it; if they did not try, somebody else did.")
        )
    sentence = N_("Somebody could not log in from %(address)s, with a name that no user has.", **values)
    return Told(sentence, N_("If nobody of yours works there, let no one from that address reach this archive."))


def _connection(app: App, one: Trouble, values: Mapping[str, str]) -> Told:
    sentence = N_("A connection of %(address)s to the %(listener)s listener was not taken: %(reason)s.", **values)
    setting = values.get("setting", "")
    if not setting:
        return Told(sentence, N_("Set protocol and port right at that system; should it stay so, ask its maker."))
    known = app.settings.get(setting)
    way = N_("If that system belongs to you, change the setting %(setting)s.", **values)
    if isinstance(known, tuple) and one.address not in known:
        given = {"name": setting, "value": " ".join([*known, one.address])}
        return Told(sentence, way, (Mend("setting", N_("Take messages of %(address)s", **values), given),))
    return Told(sentence, way, (Mend("page", N_("To the setting"), {"path": f"/setup/settings?q={setting}"}),))


def _message(_app: App, _one: Trouble, values: Mapping[str, str]) -> Told:
    sentence = N_("A message %(type)s of %(who)s (%(address)s) was answered %(answer)s: %(reason)s.", **values)
    return Told(sentence, N_("It is kept: see the messages. It can be processed again once what it needs is there."))


def _receiver(_app: App, _one: Trouble, values: Mapping[str, str]) -> Told:
    return Told(
        N_("%(who)s (%(address)s) has taken no message for more than an hour: %(reason)s.", **values),
        N_("See that it runs and that its address is right: what waits is sent in order when it is back.", **values),
        (Mend("page", N_("To the receivers"), {"path": values.get("page", "/")}),),
    )


def _order(_app: App, _one: Trouble, values: Mapping[str, str]) -> Told:
    return Told(
        N_("A study came for worklist entry %(who)s, and is of another patient.", **values),
        N_("Nothing was corrected by itself: look at both, and say whether the study is the entry's.", **values),
        (Mend("page", N_("To the entry"), {"path": values.get("page", "/worklist")}),),
    )


def _other(_app: App, one: Trouble, values: Mapping[str, str]) -> Told:
    return Told(N_("%(kind)s: %(who)s %(reason)s", kind=one.kind, **values), _LOOK)


def _add(one: Trouble, port: int = 0) -> Mend:
    given = {"aet": one.who, "host": one.address, **({"port": port} if port else {})}
    return Mend("peer", N_("Add %(who)s at this address", who=one.who) if not port else N_("Change its address"), given)


_LOOK = N_("The log has more.")
_WAYS = {
    "A7": N_("Give the archive room: see Storage. What was refused is to be sent again."),
    "A9": N_("Mend the object at its source, or change the setting that does not admit it, and send it again."),
    "C0": N_("The object is damaged: send it again; if it stays so, give it to the maker of the device."),
}
_PAGES = {
    "the Patient Name is empty": "accept_empty_patient_name",
    "the Patient ID is empty": "accept_empty_patient_id",
    "Patient Name or ID differ from the study's": "same_patient",
    "the object names no study or series": "accept_missing_study",
}
_TELLERS = {
    "called_aet": _called,
    "calling_aet": _stranger,
    "borrowed_aet": _borrowed,
    "not_admitted": _not_admitted,
    "no_room": _no_room,
    "tls": _tls,
    "protocol": _protocol,
    "contexts": _contexts,
    "operation": _operation,
    "sending": _sending,
    "job": _job,
    "log_in": _log_in,
    "connection": _connection,
    "message": _message,
    "receiver": _receiver,
    "order": _order,
}
