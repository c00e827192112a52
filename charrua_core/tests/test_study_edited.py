"""The hook `on_study_edited`: plugins learn of each edit, and of its undoing, in their order, and beside what is stored."""

from __future__ import annotations

import sys

from charrua_core.archive.edit import edit, status, undo
from charrua_core.archive.edit.values import from_keywords
from charrua_core.archive.remove import delete
from charrua_core.changes import follower_states
from charrua_core.jobs import settled
from charrua_core.services.core import follower_names, followers
from charrua_core.services.service import run_services
from charrua_core.testing.objects import a_study
from charrua_core.testing.waiting import until
from charrua_core.types import SYSTEM, Level

CANNOT_TAKE_OBJECTS = """
told, failed = [], []

@hookimpl
def on_object_stored(stored):
    failed.append(stored.sop_instance_uid)
    raise OSError("the look-up failed")

@hookimpl
async def on_study_edited(app, edited):
    told.append((edited.kind, edited.edit, edited.undoes))
"""
WATCHES_EDITS = """
told = []

@hookimpl
def on_study_edited(edited):
    told.append((edited.kind, edited.edit, edited.undoes, *edited.study_uids))
"""


async def tell_all(app) -> None:
    async with run_services(followers(app)):
        assert await settled(app.db, follower_names(app), 10)


async def test_plugins_learn_of_edits_and_of_their_undoing_in_their_order(intake_of, write_plugin) -> None:
    plugins = (write_plugin("edits", WATCHES_EDITS),)
    intake = await intake_of(plugins=plugins)
    [image] = a_study()
    uid = str(image.StudyInstanceUID)
    await intake(image)
    made = await edit.edit(intake.app, SYSTEM, Level.STUDY, uid, from_keywords({"PatientName": "Roe^Jane"}))
    undone = await undo.undo(intake.app, SYSTEM, made.id)
    final = await status.set_status(intake.app, SYSTEM, uid, "FINAL")
    gone = await delete(intake.app, SYSTEM, Level.STUDY, uid)
    await tell_all(intake.app)
    assert sys.modules["edits"].told == [
        ("edit", made.id, "", uid),
        ("undo", undone.id, made.id, uid),
        ("status", final.id, "", uid),
        ("delete", gone.id, "", uid),
    ]


async def test_an_object_that_a_plugin_cannot_take_holds_up_no_edit(intake_of, write_plugin) -> None:
    intake = await intake_of(plugins=(write_plugin("both", CANNOT_TAKE_OBJECTS),))
    [image] = a_study()
    await intake(image)
    uid = str(image.StudyInstanceUID)
    made = await edit.edit(intake.app, SYSTEM, Level.STUDY, uid, from_keywords({"PatientName": "Roe^Jane"}))
    async with run_services(followers(intake.app)):
        both = sys.modules["both"]
        await until(lambda: both.failed and both.told)
    assert both.told == [("edit", made.id, "")]
    states = {one.name: one for one in await follower_states(intake.app.db)}
    assert states["both.on_object_stored"].failures
    assert not states["both.on_study_edited"].failures


async def test_an_edit_says_what_keeps_it_from_being_undone(intake_of) -> None:
    intake = await intake_of()
    [image] = a_study()
    await intake(image)
    first, second = [
        await edit.edit(
            intake.app, SYSTEM, Level.STUDY, str(image.StudyInstanceUID), from_keywords({"PatientName": name})
        )
        for name in ("Roe^Jane", "Roe^Janet")
    ]
    assert second.id in await undo.hindrance(intake.app, SYSTEM, first.id)
    assert await undo.hindrance(intake.app, SYSTEM, second.id) == ""
