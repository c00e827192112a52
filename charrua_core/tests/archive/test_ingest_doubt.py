"""What stays on the volume when storing fails: no file that nobody was told of, and every file of which a row may speak."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager

import asyncpg
import pytest

from charrua_core.archive import remove
from charrua_core.archive.edit import edit
from charrua_core.archive.edit.values import from_keywords
from charrua_core.archive.index import patience as index_patience
from charrua_core.archive.index import store as index_store
from charrua_core.archive.index.dump import dump
from charrua_core.archive.index.patience import doubted_transaction, patiently
from charrua_core.archive.index.store import Index
from charrua_core.archive.regenerate.regenerate import regenerate
from charrua_core.errors import CommitUnknown, DatabaseUnavailable
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import SYSTEM, Level, Origin


def attempts(*errors):
    """An attempt that fails with these, one after another."""
    left = list(errors)

    async def attempt():
        raise left.pop(0)

    return attempt


@pytest.mark.parametrize("certain", [asyncpg.LockNotAvailableError(), asyncpg.NumericValueOutOfRangeError()])
async def test_a_later_failure_does_not_say_what_became_of_an_earlier_commit(certain):
    with pytest.raises(CommitUnknown):
        await patiently(attempts(asyncpg.ConnectionDoesNotExistError(), certain))


async def test_a_transaction_that_takes_long_is_waited_for_but_not_for_ever(monkeypatch):
    monkeypatch.setattr(index_patience, "PATIENCE_S", 0.1)
    monkeypatch.setattr(index_patience, "ANSWER_S", 0.5)
    assert await patiently(lambda: asyncio.sleep(0.3, "committed")) == "committed"
    with pytest.raises(CommitUnknown):
        await patiently(lambda: asyncio.sleep(3))


async def test_a_database_that_is_away_is_not_waited_for_as_long(monkeypatch):
    monkeypatch.setattr(index_patience, "PATIENCE_S", 0.1)
    async with asyncio.timeout(5):
        with pytest.raises(DatabaseUnavailable):
            await patiently(attempts(*[DatabaseUnavailable()] * 9))


async def test_an_object_that_is_not_indexed_for_certain_leaves_no_file(intake, monkeypatch):
    async def store(self, group, places, audits=()):
        await places.wait()
        return [DatabaseUnavailable()] * len(group)

    monkeypatch.setattr(Index, "store", store)
    with pytest.raises(DatabaseUnavailable):
        await intake(an_object())
    assert not intake.files() and not intake.spooled()


async def test_a_file_stays_when_something_unforeseen_comes_after_its_commit(intake, monkeypatch):
    stored = Index.store

    async def store(self, group, places, audits=()):
        await stored(self, group, places, audits)
        raise ZeroDivisionError

    monkeypatch.setattr(Index, "store", store)
    with pytest.raises(CommitUnknown):
        await intake(an_object())
    assert len(intake.files()) == len(await intake.rows("instance")) == 1


async def test_a_spooled_file_that_cannot_be_removed_stops_nothing(intake, caplog):
    spool = intake.spool(an_object())
    os.unlink(spool.path)
    os.mkdir(spool.path)
    spool.abort()
    assert "a spooled file stays" in caplog.text
    assert (await intake(an_object())).status == "stored"


COERCING = """
@hookimpl
def coerce_object(candidate):
    return [Coercion({"00200010": {"vr": "SH", "Value": ["C"]}}, "site")]
"""


def lost_once(monkeypatch, *, committed):
    """The database is lost at the first commit, before it or after it."""
    left = [True]

    @asynccontextmanager
    async def doubted(db):
        lose = left and left.pop()
        async with doubted_transaction(db) as tx:
            yield tx
            if lose and not committed:
                raise CommitUnknown
        if lose:
            raise CommitUnknown

    monkeypatch.setattr(index_store, "doubted_transaction", doubted)


@pytest.mark.parametrize("committed", [False, True])
async def test_a_coercion_outlasts_a_commit_that_is_made_again(intake_of, write_plugin, monkeypatch, committed):
    intake = await intake_of(plugins=(write_plugin("coercing", COERCING),))
    lost_once(monkeypatch, committed=committed)
    assert (await intake(an_object())).status == "stored"
    await the_same_when_regenerated(intake)
    assert [row["study_id"] for row in await intake.rows("study")] == ["C"]


async def the_same_when_regenerated(intake):
    before = [line async for line in dump(intake.app.db)]
    await intake.run("TRUNCATE core.study, core.series, core.instance, core.edit, core.job")
    await regenerate(intake.app)
    assert [line async for line in dump(intake.app.db)] == before


async def test_edits_stay_with_the_object_that_they_name_and_not_with_what_a_crash_left_before_it(intake, monkeypatch):
    images = a_study(images=2)
    with monkeypatch.context() as patch:
        patch.setattr(Index, "store", crash)
        for image in images:
            with pytest.raises(CommitUnknown):
                await intake(image)
    for image in images:
        assert (await intake(image)).status == "stored"
    number = from_keywords({"InstanceNumber": "7"})
    await edit.edit(intake.app, SYSTEM, Level.IMAGE, images[0].SOPInstanceUID, number)
    await remove.delete(intake.app, SYSTEM, Level.IMAGE, images[1].SOPInstanceUID)
    assert len(intake.files()) == 4
    await the_same_when_regenerated(intake)


async def crash(self, group, places, audits=()):
    await places.wait()
    raise CommitUnknown


async def test_the_same_bytes_in_another_transfer_syntax_stay_a_version(intake):
    image = an_object()
    sent = received_of(image)
    for syntax in (sent.transfer_syntax_uid, "1.2.840.10008.1.2.1.98"):
        spool = intake.app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, syntax, Origin("dimse", "MODALITY"))
        spool.write(memoryview(sent.data_set))
        assert (await intake.app.ingest.store(spool)).status == "stored"
    await the_same_when_regenerated(intake)
