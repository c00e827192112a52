"""The DIMSE side: UPS Push, Pull, Watch and Query as SCP (PS3.4 CC.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from charrua_core import audit
from charrua_core.dicom import Association, Command, CommandField, Message, ServiceClass, agreeing
from charrua_core.dicom.n_services import (
    SUCCESS,
    Answer,
    ArgumentInvalid,
    dataset_of,
    got,
    instance_of,
    refusal_of,
    respond,
)
from charrua_core.dicom.refusing import log_refusal
from charrua_core.errors import AssociationAborted, CharruaError, PeerUnknown
from charrua_core.types import DicomJson
from charrua_ups import subscriptions, trail, workitems
from charrua_ups.callers import caller_of
from charrua_ups.find import WorkitemScp
from charrua_ups.model import (
    DELETION_LOCK,
    EVENT,
    PULL,
    PUSH,
    QUERY,
    RECEIVING_AE,
    SOP_CLASSES,
    STATE,
    TRANSACTION_UID,
    WATCH,
    Action,
    Caller,
    text,
)
from charrua_ups.payloads import checked
from charrua_ups.refusals import ActionUnknown, ReceiverUnknown, SopClassUnknown, WorkitemNotFound
from charrua_ups.statuses import ACTION_STATUSES, CREATE_STATUSES, FIND_STATUSES, GET_STATUSES, SET_STATUSES

if TYPE_CHECKING:
    from charrua_core.app import App

_FUZZY = b"\0\0\1"
"""Fuzzy matching of names is agreed on (PS3.4 CC.3.2)."""

_ACTIONS: Mapping[str, frozenset[Action]] = {
    PUSH: frozenset({Action.REQUEST_CANCEL}),
    PULL: frozenset({Action.CHANGE_STATE}),
    WATCH: frozenset({Action.REQUEST_CANCEL, Action.SUBSCRIBE, Action.UNSUBSCRIBE, Action.SUSPEND_GLOBAL}),
}
"""PS3.4 tables CC.2-1 to CC.2-3."""

_KINDS: Mapping[int, audit.Action] = {CommandField.N_CREATE: "C", CommandField.N_GET: "R"}


def ups_services(app: App) -> Sequence[ServiceClass]:
    """Give the SCPs."""
    scp = UpsScp(app)
    create, get, change, act = (
        CommandField.N_CREATE,
        CommandField.N_GET,
        CommandField.N_SET,
        CommandField.N_ACTION,
    )
    of_items = {**GET_STATUSES, **ACTION_STATUSES}
    services = [
        ("UPS Push", PUSH, {create, act, get}, {**of_items, **CREATE_STATUSES}, None),
        ("UPS Pull", PULL, {get, change, act}, {**of_items, **SET_STATUSES}, None),
        ("UPS Watch", WATCH, {get, act}, of_items, _about_events),
    ]
    given = [
        ServiceClass(name, {uid}, scp.handle, frozenset(commands), statuses=statuses, about=about)
        for name, uid, commands, statuses, about in services
    ]
    finders = {PULL, WATCH, QUERY}
    return [
        *given,
        ServiceClass(
            "UPS Pull, Watch and Query: search",
            finders,
            WorkitemScp(app).handle,
            frozenset({CommandField.C_FIND}),
            extended=agreeing(_FUZZY),
            statuses=FIND_STATUSES,
        ),
    ]


def _about_events() -> str:
    return (
        f"Events (SOP class UPS Event, `{EVENT}`) are reported by N-EVENT-REPORT over associations that this archive\n"
        "opens to the subscribed peers, with role selection as SCP, in order and until the peer has taken them or a week\n"
        "has passed: UPS State Report, UPS Cancel Requested, UPS Progress Report, SCP Status Change (at every start), UPS\n"
        "Assigned. Global and filtered global subscriptions, with any matching keys, and deletion locks are supported."
    )


class UpsScp:
    """Answers N-CREATE, N-GET, N-SET and N-ACTION with the statuses of PS3.4 CC.2, tabled in `statuses`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._operations: dict[int, Callable[[Caller, Message, DicomJson], Awaitable[Answer]]] = {
            CommandField.N_CREATE: self._create,
            CommandField.N_GET: self._get,
            CommandField.N_SET: self._set,
            CommandField.N_ACTION: self._act,
        }
        self._actions: dict[Action, Callable[[Caller, str, DicomJson], Awaitable[int]]] = {
            Action.CHANGE_STATE: self._change_state,
            Action.REQUEST_CANCEL: self._request_cancel,
            Action.SUBSCRIBE: self._subscribe,
            Action.UNSUBSCRIBE: self._unsubscribe,
            Action.SUSPEND_GLOBAL: self._suspend,
        }

    async def handle(self, association: Association, message: Message) -> None:
        """Answer one request."""
        caller = caller_of(self._app, association)
        try:
            given = checked(await dataset_of(message))
            _check_class(message.command)
            answer = await self._operations[message.command.command_field](caller, message, given)
        except AssociationAborted:
            raise
        except CharruaError as error:
            command = message.command
            log_refusal(association, message, error)
            trail.refused(self._app, caller, _KINDS.get(command.command_field, "U"), instance_of(command), error)
            answer = refusal_of(error)
        await respond(association, message, answer, self._app.peers.character_set(caller.aet))

    # Operations

    async def _create(self, caller: Caller, message: Message, given: DicomJson) -> Answer:
        uid, status = await workitems.create(self._app, caller, instance_of(message.command), given)
        return Answer(status, elements={"affected_sop_instance_uid": uid})

    async def _get(self, caller: Caller, message: Message, _given: DicomJson) -> Answer:
        return got(message.command, await workitems.get(self._app, caller, instance_of(message.command)))

    async def _set(self, caller: Caller, message: Message, given: DicomJson) -> Answer:
        return Answer(await workitems.update_workitem(self._app, caller, instance_of(message.command), given))

    async def _act(self, caller: Caller, message: Message, given: DicomJson) -> Answer:
        number = message.command.action_type_id
        if number is None or number not in _ACTIONS.get(message.context.abstract_syntax, ()):
            raise ActionUnknown
        action = Action(number)
        status = await self._actions[action](caller, instance_of(message.command), given)
        return Answer(status, elements={"action_type_id": int(action)})

    # Actions

    async def _change_state(self, caller: Caller, uid: str, given: DicomJson) -> int:
        return await workitems.change_state(self._app, caller, uid, text(given, STATE), text(given, TRANSACTION_UID))

    async def _request_cancel(self, caller: Caller, uid: str, given: DicomJson) -> int:
        return await workitems.request_cancel(self._app, caller, uid, given)

    async def _subscribe(self, caller: Caller, uid: str, given: DicomJson) -> int:
        lock = text(given, DELETION_LOCK)
        if lock not in ("TRUE", "FALSE"):
            raise ArgumentInvalid([DELETION_LOCK])
        aet = await self._receiver(given)
        keys = {tag: one for tag, one in given.items() if tag not in (RECEIVING_AE, DELETION_LOCK)}
        await subscriptions.subscribe(self._app, caller, uid, aet, lock=lock == "TRUE", keys=keys)
        return SUCCESS

    async def _unsubscribe(self, caller: Caller, uid: str, given: DicomJson) -> int:
        await subscriptions.unsubscribe(self._app, caller, uid, subscriptions.receiver(text(given, RECEIVING_AE)))
        return SUCCESS

    async def _suspend(self, caller: Caller, uid: str, given: DicomJson) -> int:
        await subscriptions.suspend(self._app, caller, uid, subscriptions.receiver(text(given, RECEIVING_AE)))
        return SUCCESS

    async def _receiver(self, given: DicomJson) -> str:
        aet = subscriptions.receiver(text(given, RECEIVING_AE))
        try:
            return (await self._app.peers.resolve(aet)).aet
        except PeerUnknown as error:
            raise ReceiverUnknown from error


def _check_class(command: Command) -> None:
    """Raise unless it is about a workitem: PS3.4 CC.3.1 has UPS Push, some SCUs name the class that was negotiated."""
    if (command.affected_sop_class_uid or command.requested_sop_class_uid) not in SOP_CLASSES:
        raise SopClassUnknown
    if command.command_field != CommandField.N_CREATE and not instance_of(command):
        raise WorkitemNotFound
