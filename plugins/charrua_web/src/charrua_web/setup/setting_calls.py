"""The calls on settings: what there is, what each was, changing and taking back; and the restart that some wait for."""

from __future__ import annotations

import os
import signal
from typing import Any

from charrua_core.audit import Event
from charrua_core.errors import SettingInvalid
from charrua_core.services.lock import ServerLock
from charrua_core.web import HttpError, Request, Response, WebRoute, json_response, typed_object_of
from charrua_web.setup.bodies import JSON
from charrua_web.setup.setting_checks import check_start
from charrua_web.setup.setting_facts import all_settings

TAG = "Set-up"
PATH = "/settings"
_ONE = f"{PATH}/{{setting}}"


async def list_all(request: Request) -> Response:
    """Give all settings."""
    return json_response(await all_settings(request.app))


async def put(request: Request) -> Response:
    """Write a setting to the database; the answer is what is then told of it."""
    name = _known(request)
    body = await typed_object_of(request, {"value": object})
    if body.get("value") is None:
        raise HttpError(400, "value: it is missing; DELETE takes the setting out of the database again")
    return await _change(request, name, body["value"])


async def delete(request: Request) -> Response:
    """Take a setting out of the database again."""
    return await _change(request, _known(request), None)


async def history(request: Request) -> Response:
    """Give what a setting was, the latest change first."""
    settings, name = request.app.settings, _known(request)
    setting = settings.declaration(name)
    rows = [
        {
            "value": one.value,
            "shown": "" if one.value is None else setting.show(_read(setting, one.value)),
            "changed_by": one.changed_by,
            "changed_at": one.changed_at.isoformat(timespec="seconds"),
        }
        for one in await settings.history(request.app.db, name)
    ]
    return json_response(rows)


async def restart(request: Request) -> Response:
    """Have the server start anew, as `charrua restart` does."""
    body = await typed_object_of(request, {"confirm": bool})
    if body.get("confirm") is not True:
        raise HttpError(400, "confirm: say true, as what runs is ended")
    number = ServerLock(request.app.data_dir).holder()
    if number is None or not hasattr(signal, "SIGHUP"):
        raise HttpError(409, "the server cannot be restarted from here: run `charrua restart` at the machine")
    name, note = request.identity.name, request.app.audit.later
    note(Event.APPLICATION_ACTIVITY, "E", name, request.origin, type="restart")
    os.kill(number, signal.SIGHUP)
    return Response(202)


def _read(setting: Any, value: Any) -> Any:
    """A value as the declaration of today reads it, or as it is where that takes it no more."""
    try:
        return setting.parse(value, "the history")
    except SettingInvalid:
        return value


def _known(request: Request) -> str:
    name = request.parameters["setting"]
    if name not in request.app.settings:
        raise HttpError(404, f"there is no setting {name[:80]}")
    return name


async def _change(request: Request, name: str, given: Any) -> Response:
    settings = request.app.settings
    setting = settings.declaration(name)
    if setting.variable in request.app.start.env:
        raise HttpError(409, f"{name} is set in the environment ({setting.variable}), which counts more")
    if setting.local:
        raise HttpError(409, f"{name} is set where the archive starts: {setting.variable}, or charrua.toml")
    value = setting.default if given is None else setting.parse(given, "you")
    await check_start(settings, name, value)
    await request.app.change_setting(name, given, by=request.identity.name, origin=request.origin)
    [told] = [one for one in await all_settings(request.app) if one["name"] == name]
    return json_response(told)


_REFUSED = {
    400: "The value will not do; `detail` says why",
    404: "There is no such setting",
    409: "It is decided in the environment, or where the archive starts",
}

ROUTES = (
    WebRoute(
        "GET",
        PATH,
        list_all,
        "configure",
        "List the settings of core and of all plugins",
        TAG,
        description="With value, where that comes from, and whether it takes effect at once; secrets are left out.",
    ),
    WebRoute(
        "PUT",
        _ONE,
        put,
        "configure",
        "Change a setting",
        TAG,
        consumes=JSON,
        statuses={200: "It is written to the database", **_REFUSED},
        description="The body has `value`, as text or as JSON has it.",
    ),
    WebRoute(
        "DELETE",
        _ONE,
        delete,
        "configure",
        "Take a setting out of the database again",
        TAG,
        statuses={200: "The file's value or the default is in force", **_REFUSED},
    ),
    WebRoute(
        "GET",
        f"{_ONE}/history",
        history,
        "configure",
        "List what a setting was",
        TAG,
        statuses={200: "The changes, the latest first", 404: "There is no such setting"},
    ),
    WebRoute(
        "POST",
        "/restart",
        restart,
        "configure",
        "Restart the services, for settings that wait for it",
        TAG,
        consumes=JSON,
        produces=(),
        statuses={202: "It restarts", 400: "It is not confirmed", 409: "It cannot be restarted from here"},
    ),
)
