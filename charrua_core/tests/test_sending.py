"""Objects on their way to other AEs: routed once, sent on one association, tried again as the schedule says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from charrua_core import sending
from charrua_core.archive.edit import edit
from charrua_core.archive.edit.values import from_keywords
from charrua_core.errors import NotPermitted, PeerUnknown, PeerUnreachable, SettingInvalid, StudyNotFound
from charrua_core.jobs import GiveUp
from charrua_core.sending import SendFailed, to_peers
from charrua_core.sending.delivered import MOST_VERSIONS
from charrua_core.sending.queue import enqueue, retries_s
from charrua_core.testing.clock import StandsStill
from charrua_core.testing.devices import Workstation, received_of
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import SYSTEM, Identity, Level, Origin, Peer, Route, RowFilter, StoredObject

ROUTES = """
@hookimpl
def route_destination(stored):
    return [Route("WORKSTATION"), Route("WORKSTATION", priority=5), Route("ARCHIVE2")]
"""


@pytest.fixture
async def app(open_archive, write_plugin):
    """An archive whose plugin routes every object to a workstation, named twice, and to another archive."""
    return await open_archive(plugins=(write_plugin("routing_all", ROUTES),))


@pytest.fixture
async def station(app):
    """The workstation, known to the archive."""
    station = Workstation(Peer("CHARRUA", "127.0.0.1", 0))
    await station.start()
    await app.peers.add(station.peer, by="test")
    yield station
    await station.stop()


async def store(app, objects, calling_aet="MODALITY"):
    """The objects in the archive, and what the change feed tells of them."""
    told = []
    for image in objects:
        sent = received_of(image)
        spool = app.ingest.begin(
            sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, Origin("dimse", calling_aet)
        )
        spool.write(memoryview(sent.data_set))
        await app.ingest.store(spool)
        uids = (str(image.StudyInstanceUID), str(image.SeriesInstanceUID), sent.sop_instance_uid)
        kind = (sent.sop_class_uid, sent.transfer_syntax_uid, "CT", 1, datetime.now(UTC))
        told.append(StoredObject(*uids, *kind, Origin("dimse", calling_aet)))
    return told


async def routed(app, told, again=False):
    for stored in told:
        await sending.route(app, stored, again=again)
    return {job.lane: job for job in await app.jobs.list(kind="send")}


async def run(app, job):
    """What a worker does with the job, as far as its payload goes."""
    async with app.db.driver() as connection:
        await connection.execute("UPDATE core.job SET state = 'running' WHERE id = $1", job.id)
    try:
        await sending.send_job(app).run(job.payload)
    finally:
        [job] = [one for one in await app.jobs.list(kind="send") if one.id == job.id]
    return job


async def test_an_object_goes_to_each_destination_once_and_many_go_together(app):
    told = await store(app, a_study(images=3))
    jobs = await routed(app, told)
    assert sorted(jobs) == ["send ARCHIVE2", "send WORKSTATION"]
    for job in jobs.values():
        assert [uid for uid, _ in job.payload["objects"]] == [one.sop_instance_uid for one in told]


async def test_an_object_that_is_told_twice_is_sent_once(app, station):
    told = await store(app, a_study())
    jobs = await routed(app, told)
    await run(app, jobs["send WORKSTATION"])
    async with app.db.driver() as connection:
        await connection.execute("UPDATE core.job SET state = 'done' WHERE lane = 'send WORKSTATION'")
    await routed(app, told, again=True)
    assert len(await app.jobs.list(kind="send")) == 2


async def test_an_object_is_not_sent_back_to_where_it_came_from(app):
    told = await store(app, a_study(), calling_aet="ARCHIVE2")
    assert list(await routed(app, told)) == ["send WORKSTATION"]


async def test_a_job_sends_all_its_objects_on_one_association_with_their_edits(app, station, monkeypatch):
    opened = []
    whole = to_peers.associate_as
    monkeypatch.setattr(to_peers, "associate_as", lambda *given: opened.append(given) or whole(*given))
    study = a_study(images=5)
    told = await store(app, study)
    values = from_keywords({"PatientID": "0815"})
    await edit.edit(app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID, values)
    await run(app, (await routed(app, told))["send WORKSTATION"])
    assert sorted(one.sop_instance_uid for one in station.received) == sorted(one.SOPInstanceUID for one in study)
    assert {one.attributes.PatientID for one in station.received} == {"0815"}
    assert len(opened) == 1


async def test_what_the_peer_did_not_take_is_all_that_is_sent_the_next_time(app, station):
    study = a_study(images=4)
    job = (await routed(app, await store(app, study)))["send WORKSTATION"]
    keep, refuse = station._keep, [str(study[1].SOPInstanceUID)]

    async def picky(association, message):
        status = await keep(association, message)
        if message.command.affected_sop_instance_uid in refuse:
            station.received.pop()
            return 0xC000
        return status

    station._keep = picky
    with pytest.raises(SendFailed, match="did not take 1 objects"):
        await run(app, job)
    [left] = [one for one in await app.jobs.list(kind="send") if one.id == job.id]
    assert left.payload["objects"] == [[refuse.pop(), 1]]
    await run(app, left)
    assert len(station.received) == 4


async def test_what_the_peer_takes_only_uncompressed_is_sent_so(app, station):
    [image] = a_study(images=1)
    pixels = image.PixelData
    image.compress(RLELossless, generate_instance_uid=False)
    station.takes = [ImplicitVRLittleEndian]
    job = (await routed(app, await store(app, [image])))["send WORKSTATION"]
    await run(app, job)
    [came] = station.received
    assert (came.transfer_syntax_uid, came.sop_instance_uid) == (ImplicitVRLittleEndian, image.SOPInstanceUID)
    assert came.attributes.PixelData == pixels


@pytest.mark.parametrize(
    ("wanted", "taken", "goes"),
    [
        (JPEG2000Lossless, (), JPEG2000Lossless),
        (JPEG2000Lossless, (ExplicitVRLittleEndian,), ExplicitVRLittleEndian),  # preferred, not demanded
        (ImplicitVRLittleEndian, (), ImplicitVRLittleEndian),
        (JPEGBaseline8Bit, (), ExplicitVRLittleEndian),  # it cannot carry 12 bits
    ],
)
async def test_an_object_goes_in_the_syntax_that_is_preferred_where_it_can(app, station, wanted, taken, goes):
    station.takes = taken
    [told] = await store(app, [an_object(PixelData=bytes([7, 1] * 64))])
    await sending.send_study(app, SYSTEM, told.study_uid, "WORKSTATION", options={"transfer_syntaxes": [str(wanted)]})
    [job] = await app.jobs.list(kind="send")
    await run(app, job)
    [came] = station.received
    assert came.transfer_syntax_uid == goes
    assert came.sop_instance_uid == told.sop_instance_uid


async def test_nothing_is_sent_with_an_option_that_is_not_known(app, station):
    [told] = await store(app, a_study())
    await sending.send_study(app, SYSTEM, told.study_uid, "WORKSTATION", options={"colour": "red"})
    [job] = await app.jobs.list(kind="send")
    with pytest.raises(GiveUp, match="nothing is sent with colour"):
        await run(app, job)
    assert station.received == []


async def test_what_is_put_off_to_about_the_same_time_goes_together(open_archive, write_plugin):
    source = ROUTES.replace('[Route("WORKSTATION"), Route("WORKSTATION", priority=5), Route("ARCHIVE2")]', "{}")
    app = await open_archive(plugins=(write_plugin("later", source.format("[Route('LATER', delay_s=3600)]")),))
    app.jobs.clock = StandsStill()
    await routed(app, await store(app, a_study(images=3)))
    [job] = await app.jobs.list(kind="send")
    assert len(job.payload["objects"]) == 3
    assert 3600 <= (job.run_at - app.jobs.clock.now()).total_seconds() <= 3610
    app.jobs.clock.time += timedelta(seconds=60)
    await routed(app, await store(app, a_study()))
    assert len(await app.jobs.list(kind="send")) == 2


async def test_objects_with_other_options_go_in_another_job(app):
    for stored, options in zip(
        await store(app, a_study(images=3)), ({}, {"transfer_syntaxes": ["1.2"]}, {}), strict=True
    ):
        async with app.db.transaction() as tx:
            await enqueue(app, tx, Route("NEURO", options=options), stored)
    objects = [len(job.payload["objects"]) for job in await app.jobs.list(kind="send")]
    assert sorted(objects) == [1, 2]


async def test_what_a_destination_has_had_no_route_sends_again(app, station):
    [first, other] = await store(app, a_study(images=2))
    await run(app, (await routed(app, [first]))["send WORKSTATION"])
    for _ in range(2):  # another rule, a replay
        async with app.db.transaction() as tx:
            await sending.send_new(app, tx, Route("WORKSTATION"), first.study_uid)
            await enqueue(app, tx, Route("WORKSTATION", options={"transfer_syntaxes": []}), first)
    for job in await app.jobs.list(kind="send", lane="send WORKSTATION"):
        await run(app, job)
    assert [one.sop_instance_uid for one in station.received] == [first.sop_instance_uid, other.sop_instance_uid]


async def test_what_a_person_sends_goes_as_often_as_it_is_asked_for(app, station):
    [told] = await store(app, a_study())
    for _ in range(2):
        await sending.send_study(app, SYSTEM, told.study_uid, "WORKSTATION")
        [job, *_] = await app.jobs.list(kind="send")
        await run(app, job)
        async with app.db.driver() as connection:
            await connection.execute("UPDATE core.job SET state = 'done'")
    assert len(station.received) == 2


async def test_versions_of_an_object_go_on_until_there_are_too_many(app, station):
    [image] = a_study()
    for number in range(7):
        image.PixelData = bytes([number] * 128)
        told = await store(app, [image])
        await routed(app, told)
        [newest, *_] = await app.jobs.list(kind="send", lane="send WORKSTATION")
        await run(app, newest)
        async with app.db.driver() as connection:
            await connection.execute("UPDATE core.job SET state = 'done'")
    assert len({one.data_set for one in station.received}) == len(station.received) == MOST_VERSIONS


async def test_of_a_study_goes_what_its_destination_has_not_sent_itself(app, station):
    study = a_study(series=2, images=2)
    await store(app, study[:1], calling_aet="WORKSTATION")
    await store(app, study[1:])
    async with app.db.transaction() as tx:
        [uids] = {(str(one.StudyInstanceUID), str(one.SeriesInstanceUID)) for one in study[:2]}
        assert await sending.send_new(app, tx, Route("WORKSTATION"), *uids) == 1
        assert await sending.send_new(app, tx, Route("WORKSTATION"), uids[0]) == 3


async def test_a_peer_without_room_ends_the_association_and_keeps_the_rest_for_later(app, station):
    job = (await routed(app, await store(app, a_study(images=3))))["send WORKSTATION"]

    async def full(association, message):
        return 0xA700

    station._keep = full
    with pytest.raises(SendFailed, match="out of resources"):
        await run(app, job)
    [left] = [one for one in await app.jobs.list(kind="send") if one.id == job.id]
    assert len(left.payload["objects"]) == 3


async def test_a_peer_that_is_away_or_unknown_fails_the_job(app, station):
    jobs = await routed(app, await store(app, a_study()))
    with pytest.raises(PeerUnknown):
        await run(app, jobs["send ARCHIVE2"])
    await station.stop()
    with pytest.raises(PeerUnreachable):
        await run(app, jobs["send WORKSTATION"])


async def test_a_study_sent_by_hand_goes_as_a_whole(app, station):
    study = a_study(series=2, images=2)
    await store(app, study)
    uid = str(study[0].StudyInstanceUID)
    assert await sending.send_study(app, SYSTEM, uid, "WORKSTATION") is not None
    assert await sending.send_study(app, SYSTEM, uid, "WORKSTATION") is None  # it waits already
    [job] = await app.jobs.list(kind="send")
    await run(app, job)
    assert len(station.received) == 4


async def test_what_is_sent_by_hand_is_what_the_sender_may_see(app, station):
    study = a_study(series=2)
    study[1].Modality = "MR"
    await store(app, study)
    filters = (RowFilter({"Modality": ("MR",)}),)
    sender = Identity("ana", "user", permissions=frozenset({"send"}), row_filters=filters)
    await sending.send_study(app, sender, str(study[0].StudyInstanceUID), "WORKSTATION")
    [job] = await app.jobs.list(kind="send")
    await run(app, job)
    assert [one.sop_instance_uid for one in station.received] == [study[1].SOPInstanceUID]


async def test_sending_by_hand_needs_the_permission_the_study_and_the_peer(app, station):
    study = a_study()
    await store(app, study)
    uid = str(study[0].StudyInstanceUID)
    viewer = Identity("viewer", "user", permissions=frozenset({"query"}))
    for who, what, where, error in (
        (viewer, uid, "WORKSTATION", NotPermitted),
        (SYSTEM, "1.2.3", "WORKSTATION", StudyNotFound),
        (SYSTEM, uid, "NOWHERE", PeerUnknown),
    ):
        with pytest.raises(error):
            await sending.send_study(app, who, what, where)
    assert await app.jobs.list(kind="send") == []


def test_retries_are_counted_from_the_first_try():
    assert retries_s(("1h", "24h", "2d", "7d")) == (3600, 82800, 86400, 432000)
    for wrong in (("soon",), ("2h", "1h")):
        with pytest.raises(SettingInvalid):
            retries_s(wrong)
