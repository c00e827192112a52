"""Destinations of the kinds that plugins bring: each in its lane, by its hours, tried again by the schedule, nothing twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from charrua_core import sending
from charrua_core.errors import DestinationUnknown, EditInvalid
from charrua_core.jobs import Worker
from charrua_core.sending.queue import enqueue
from charrua_core.sending.window import opens_at, window_of
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import a_study
from charrua_core.testing.waiting import until
from charrua_core.types import Destination, Origin, Peer, Route, StoredObject

KINDS = """
import asyncio
from collections import defaultdict

from charrua_core.jobs import GiveUp
from charrua_core.sending import DestinationKind, Outcome, SendFailed
from charrua_core.settings import Setting

came = defaultdict(list)   # destination -> SOP Instance UIDs
tries = defaultdict(list)  # destination -> moments
running = set()
most = []

async def send(sending):
    name, mood = sending.destination.name, sending.destination.options["mood"]
    tries[name].append(sending.app.jobs.clock.now())
    running.add(name)
    most.append(len(running))
    try:
        if mood == "refusing":
            raise SendFailed("connection refused")
        if mood == "hanging":
            async with asyncio.timeout(0.05):
                await asyncio.sleep(60)
        if mood == "giving up":
            raise GiveUp("the certificate is another one")
        for number, record in enumerate(sending.records):
            if mood == "slow":
                await asyncio.sleep(0.3)
            if mood == "half" and number % 2:
                yield Outcome(record, "failed", "no room")
            elif mood == "picky" and number == 0:
                yield Outcome(record, "refused", "no such objects here")
            elif mood == "both" and number < 2:
                yield Outcome(record, "refused" if number else "failed", "not now or never")
            else:
                came[name].append(record.sop_instance_uid)
                yield Outcome(record)
    finally:
        running.discard(name)

async def probe(app, destination):
    return f"{destination.name} is there"

@hookimpl
def destinations(app):
    options = [
        Setting("mood", str, "good", help="How it is.", since="0.1"),
        Setting("token", str, "", secret=True, help="A secret.", since="0.1"),
    ]
    return [DestinationKind("moody", "One that fails.", send, probe, options, frozenset({"mood"}))]
"""


class Clock:
    """A clock that stands still until it is moved on."""

    time = datetime(2026, 3, 1, 12, tzinfo=UTC)
    seconds = 0.0

    def now(self):
        return self.time

    def monotonic(self):
        return self.seconds


@pytest.fixture
async def app(open_archive, write_plugin):
    app = await open_archive(plugins=(write_plugin("moody", KINDS),))
    app.jobs.clock = Clock()
    return app


@pytest.fixture
def moody(app):
    import moody

    return moody


async def add(app, name, mood="good", **how):
    await app.destinations.add(Destination(name, "moody", {"mood": mood}, **how), by="test")


async def sent(app, images=4, to=("SHELF",)):
    """Objects that were stored and routed."""
    uids = []
    for image in a_study(images=images):
        came = received_of(image)
        spool = app.ingest.begin(came.sop_class_uid, came.sop_instance_uid, came.transfer_syntax_uid, Origin("dimse"))
        spool.write(memoryview(came.data_set))
        await app.ingest.store(spool)
        where = (str(image.StudyInstanceUID), str(image.SeriesInstanceUID), came.sop_instance_uid)
        stored = StoredObject(
            *where, came.sop_class_uid, came.transfer_syntax_uid, "CT", 1, app.jobs.clock.now(), Origin("dimse")
        )
        async with app.db.transaction() as tx:
            for name in to:
                await enqueue(app, tx, Route(name), stored)
        uids.append(came.sop_instance_uid)
    return uids


async def send_again(app, uids):
    """Another rule names the same objects, a long time later."""
    payload = {"batch": "again", "destination": "SHELF", "objects": [[uid, 1] for uid in uids]}
    await app.jobs.enqueue("send", payload, lane="send SHELF")


async def work(app):
    """Have a worker do all that is due by the archive's clock."""
    worker = asyncio.create_task(Worker(app.db, [sending.send_job(app)], clock=app.jobs.clock).run())
    try:
        await until(lambda: _idle(app, worker), 30)
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


async def _idle(app, worker):
    return worker.done() or not await app.jobs.due()


async def test_objects_go_to_a_destination_of_a_plugins_kind_once(app, moody):
    await add(app, "SHELF")
    uids = await sent(app)
    await work(app)
    assert moody.came["SHELF"] == uids
    await send_again(app, uids)
    await work(app)
    assert moody.came["SHELF"] == uids


async def test_bad_destinations_are_tried_by_the_schedule_and_a_good_one_does_not_wait(app, moody):
    for name, mood in {"REFUSES": "refusing", "HANGS": "hanging", "HALF": "half", "GOOD": "good"}.items():
        await add(app, name, mood)
    uids = await sent(app, to=("REFUSES", "HANGS", "HALF", "GOOD"))
    began = app.jobs.clock.time
    for hours in (0, 1, 24, 48, 168):
        app.jobs.clock.time = began + timedelta(hours=hours)
        await work(app)
    states = {job.lane: (job.state, len(job.payload["objects"])) for job in await app.jobs.list(kind="send")}
    app.jobs.clock.time = began + timedelta(hours=400)
    await work(app)
    schedule = [began + timedelta(hours=hours) for hours in (0, 1, 24, 48, 168)]
    assert moody.tries["REFUSES"] == moody.tries["HANGS"] == schedule
    assert moody.tries["GOOD"] == [began]
    assert moody.tries["HALF"] == schedule[:3]  # four objects, two, one
    assert Counter(moody.came["HALF"]) == Counter(moody.came["GOOD"]) == Counter(uids)
    assert states == {
        "send REFUSES": ("dead", 4),
        "send HANGS": ("dead", 4),
        "send HALF": ("done", 0),
        "send GOOD": ("done", 0),
    }


async def test_the_schedule_counts_from_the_first_try_however_late_the_others_were(app, moody):
    await add(app, "REFUSES", "refusing")
    await sent(app, images=1, to=("REFUSES",))
    began = app.jobs.clock.time
    for hours in (0, 5, 23.9, 24):  # the archive was down for four hours
        app.jobs.clock.time = began + timedelta(hours=hours)
        await work(app)
    assert [(at - began) / timedelta(hours=1) for at in moody.tries["REFUSES"]] == [0, 5, 24]


@pytest.mark.parametrize(
    ("mood", "dead", "due", "why"),
    [
        ("giving up", 4, 0, "the certificate is another one"),
        ("picky", 1, 0, "no such objects here"),
        ("both", 1, 1, "not now or never"),
    ],
)
async def test_what_will_never_be_taken_is_a_dead_letter_at_once(app, moody, mood, dead, due, why):
    await add(app, "SHELF", mood)
    await sent(app)
    await work(app)
    jobs = await app.jobs.list(kind="send")
    assert {job.state: len(job.payload["objects"]) for job in jobs} == {
        state: number for state, number in {"dead": dead, "due": due}.items() if number
    }
    assert all(why in job.last_error for job in jobs)
    assert len(moody.came["SHELF"]) == 4 - dead - due


async def test_no_more_jobs_send_at_once_than_the_setting_says(app, moody):
    await app.change_setting("send_concurrency", 2, by="test")
    names = [f"SHELF{number}" for number in range(5)]
    for name in names:
        await add(app, name, "slow")
    await sent(app, images=1, to=names)
    await work(app)
    assert max(moody.most) == 2
    assert len([name for name in names if moody.came[name]]) == 5


async def test_outside_its_hours_a_destination_is_not_tried(app, moody):
    here = app.jobs.clock.time.astimezone()
    opens, closes = (here + timedelta(hours=2)).strftime("%H:%M"), (here + timedelta(hours=3)).strftime("%H:%M")
    await add(app, "NIGHT", window=f"{opens}-{closes}")
    uids = await sent(app, to=("NIGHT",))
    [job] = await app.jobs.list(kind="send")  # they wait together
    assert job.run_at - app.jobs.clock.time <= timedelta(hours=2, seconds=10)
    assert await app.jobs.resend(job.id)
    await work(app)
    [job] = await app.jobs.list(kind="send")
    assert (job.state, job.attempts, moody.tries["NIGHT"]) == ("due", 0, [])
    app.jobs.clock.time += timedelta(hours=2)
    await work(app)
    assert moody.came["NIGHT"] == uids


async def test_what_is_sent_to_a_disabled_destination_waits(app, moody):
    await add(app, "SHELF", enabled=False)
    uids = await sent(app)
    await work(app)
    await add(app, "SHELF")
    app.jobs.clock.time += timedelta(minutes=5)
    await work(app)
    assert moody.came["SHELF"] == uids


@pytest.mark.parametrize(
    ("destination", "why"),
    [
        (Destination("PEER", "moody", {"mood": "good"}), "AE title of a peer"),
        (Destination("a/b", "moody", {"mood": "good"}), "is no name"),
        (Destination("A", "tape", {}), "there is no kind tape; there are .*moody"),
        (Destination("A", "dicom", {}), "charrua peer add A HOST PORT"),
        (Destination("A", "moody", {}), "needs mood"),
        (Destination("A", "moody", {"mood": "good", "colour": "red"}), "has no colour"),
        (Destination("A", "moody", {"mood": "good", "transfer_syntaxes": ["1.2"]}), "has no transfer_syntaxes"),
        (Destination("A", "moody", {"mood": "good"}, concurrency=0), "1 to 16 jobs"),
        (Destination("A", "moody", {"mood": "good"}, window="at night"), "no time of day"),
        (Destination("A", "moody", {"mood": "good"}, timeout_s=0), "1 to 3600 seconds"),
    ],
)
async def test_a_destination_that_will_not_do_is_not_kept(app, destination, why):
    await app.peers.add(Peer("PEER", "127.0.0.1", 104), by="test")
    with pytest.raises(EditInvalid, match=why):
        await app.destinations.add(destination, by="test")
    assert [one.name for one in app.destinations.all()] == ["PEER"]


async def test_no_peer_takes_the_name_of_a_destination(app):
    await add(app, "SHELF")
    with pytest.raises(EditInvalid, match="the name of a destination"):
        await app.peers.add(Peer("SHELF", "127.0.0.1", 104), by="test")


async def test_a_destination_is_changed_and_removed_and_its_secret_never_shown(app):
    with_token = Destination("SHELF", "moody", {"mood": "good", "token": "hush"}, concurrency=3)
    assert await app.destinations.add(with_token, by="test")
    assert not await app.destinations.add(replace(with_token, enabled=False), by="test")
    found = await app.destinations.get("SHELF")
    assert (found.enabled, found.concurrency, app.destinations.concurrency()) == (False, 3, {"SHELF": 3})
    assert "hush" not in str(app.destinations.shown(found))
    await app.destinations.remove("SHELF", by="test")
    with pytest.raises(DestinationUnknown):
        await app.destinations.get("SHELF")


@pytest.mark.parametrize(
    ("window", "at", "opens"),
    [
        ("", "12:00", "12:00"),
        ("08:00-16:00", "12:00", "12:00"),
        ("08:00-16:00", "16:00", "08:00+1"),
        ("08:00-16:00", "07:59", "08:00"),
        ("22:00-06:00", "23:00", "23:00"),
        ("22:00-06:00", "05:59", "05:59"),
        ("22:00-06:00", "06:00", "22:00"),
    ],
)
def test_a_window_may_go_over_midnight(window, at, opens):
    def moment(text):
        clock, _, days = text.partition("+")
        hour, minute = clock.split(":")
        return datetime(2026, 3, 10 + int(days or 0), int(hour), int(minute)).astimezone()

    assert opens_at(window, moment(at)) == moment(opens)
    assert window_of("") is None
