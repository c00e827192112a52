"""Messages that go out: sent in order, tried again, given up, sent again; one receiver delays no other."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from charrua_core.testing.certificates import Authority
from charrua_core.testing.clock import StandsStill
from charrua_core.testing.waiting import until
from charrua_core.types import SYSTEM, Origin
from charrua_hl7.intake.arrival import Arrival
from charrua_hl7.intake.keeping import keep
from charrua_hl7.outgoing import mllp, receivers
from charrua_hl7.outgoing import sending as sender
from charrua_hl7.outgoing.errors import NotDelivered
from charrua_hl7.outgoing.health import receivers_health
from charrua_hl7.outgoing.order_messages import order_message
from charrua_hl7.outgoing.queue import send_again
from charrua_hl7.outgoing.receiver import described
from charrua_hl7.tables import entry, message
from charrua_hl7.worklist.entries import Status, set_status

BEGIN, END = b"\x0b", b"\x1c\r"
ORIGIN = Origin("cli", user="test")


async def rows(app):
    async with app.db.reading() as connection:
        return (await connection.execute(select(message).order_by(message.c.id))).mappings().all()


async def settled(app, *states):
    await until(lambda: _is(app, states))
    return await rows(app)


async def _is(app, states):
    return tuple(row["state"] for row in await rows(app)) == states


async def test_an_order_is_told_to_who_wants_orders(app, hospital, add_receiver, order, sending) -> None:
    await add_receiver(hospital, sends=["orders"], application="HIS", facility="NORTE")
    await add_receiver(hospital, "RIS", sends=["results"])
    await order("A1")
    async with sending():
        [row] = await settled(app, "done")
    [told] = hospital.taken
    assert (told.type, told.control_id) == ("ORM^O01", row["control_id"])
    wanted = {
        "MSH-5": "HIS",
        "MSH-6": "NORTE",
        "MSH-12": "2.5",
        "PID-3": "4711",
        "PID-3.4": "NORTE",
        "PID-5.1": "PEREZ",
        "PID-5.2": "ANA",
        "PID-8": "F",
        "ORC-1": "SC",
        "ORC-2": "P-1",
        "ORC-3": "A1",
        "ORC-5": "SC",
        "OBR-4.2": "Cráneo & cara | s/c",
        "OBR-18": "A1",
        "OBR-24": "CT",
    }
    assert {path: told.text(path) for path in wanted} == wanted
    assert (row["acknowledgement"], row["attempts"], row["party"]) == ("AA", 1, "HIS")


async def test_what_an_entry_said_when_it_changed_is_told_and_written_by_who_sends_it(
    app, hospital, add_receiver, order, sending
) -> None:
    await add_receiver(hospital, sends=["orders"])
    one = await order("A1", name="PEREZ^ANA")
    async with app.db.transaction() as tx:
        await set_status(app, tx, [one.id], Status.STARTED, "")
    await order("A1", name="PEREZ^ANA MARIA", status=Status.STARTED)
    kept = await rows(app)
    assert [(row["content"], row["patient_id"], row["accession_number"]) for row in kept] == [(b"", "4711", "A1")] * 2
    async with sending():
        kept = await settled(app, "done", "done")
    assert [(one.text("ORC-5"), one.text("PID-5.2")) for one in hospital.taken] == [("SC", "ANA"), ("IP", "ANA")]
    assert [row["content"] for row in kept] == hospital.raw
    assert [row["facts"] for row in kept] == [None, None]
    said_at = [f"{row['at'].astimezone():%Y%m%d%H%M%S%z}" for row in kept]
    assert [one.text("ORC-9") for one in hospital.taken] == said_at


async def test_a_message_is_written_once_however_often_it_is_tried(
    app, hospital, add_receiver, order, sending, monkeypatch
) -> None:
    written = []

    def writes(kept, receiver):
        written.append(kept["id"])
        return order_message(kept, receiver)

    monkeypatch.setattr(sender, "order_message", writes)
    hospital.answers = [lambda _: None, hospital.says("AE"), hospital.says("AA")]
    await add_receiver(hospital, sends=["orders"])
    await order()
    async with sending():
        [row] = await settled(app, "done")
    assert hospital.raw == [row["content"]] * 3
    assert written == [row["id"]]


async def test_what_cannot_be_written_has_failed_and_holds_up_nothing(
    app, hospital, add_receiver, order, sending
) -> None:
    await add_receiver(hospital, sends=["orders"])
    await order("A1")
    async with app.db.transaction() as tx:
        await tx.execute(update(message).values(facts={"of": "another release"}))
    await order("A2")
    async with sending():
        [row, _] = await settled(app, "failed", "done")
    assert row["sentence"] == "it could not be written: KeyError"
    assert [one.text("ORC-3") for one in hospital.taken] == ["A2"]


async def test_one_that_is_down_is_sent_all_in_order_when_it_is_back_and_delays_no_other(
    app, hospital, add_receiver, order, sending
) -> None:
    await hospital.close()
    await add_receiver(hospital, sends=["orders"])
    other = type(hospital)()
    await other.open()
    await add_receiver(other, "RIS", sends=["orders"])
    for number in range(4):
        await order(f"A{number}")
    async with sending():
        await until(lambda: len(other.taken) == 4)
        assert [row["state"] for row in await rows(app) if row["party"] == "HIS"] == ["waiting"] * 4
        await hospital.open()
        await until(lambda: len(hospital.taken) == 4)
    assert [one.text("ORC-3") for one in hospital.taken] == ["A0", "A1", "A2", "A3"]
    await other.close()


@pytest.mark.parametrize("code", ["AR", "CR"])
async def test_what_is_refused_has_failed_and_can_be_sent_again(
    app, hospital, add_receiver, order, sending, code
) -> None:
    hospital.answers = [hospital.says(code, "|Paciente PEREZ desconocido|||204"), hospital.says("AA")]
    await add_receiver(hospital, sends=["orders"])
    await order()
    async with sending():
        [row] = await settled(app, "failed")
        assert (row["acknowledgement"], row["sentence"]) == (code, f"it answered {code}, condition 204")
        assert b"PEREZ desconocido" in row["answer"]
        await send_again(app, row["id"])
        [row] = await settled(app, "done")
    assert [one.control_id for one in hospital.taken] == [row["control_id"]] * 2
    assert await app.jobs.list(state="dead") == []


async def test_what_it_could_not_take_is_tried_some_times(app, hospital, add_receiver, order, sending) -> None:
    hospital.answers = [hospital.says("AE"), hospital.says("CE"), hospital.says("AE"), hospital.says("AA")]
    await add_receiver(hospital, sends=["orders"])
    await order()
    async with sending():
        await settled(app, "done")
        hospital.answers = [hospital.says("AE")]
        await order("A2")
        [_, row] = await settled(app, "done", "failed")
    assert (row["attempts"], row["sentence"]) == (sender.MOST_REJECTED, "it answered AE")
    assert len(hospital.taken) == 4 + sender.MOST_REJECTED


async def test_what_is_not_taken_is_tried_for_as_long_as_is_set_and_told_of(
    app, hospital, add_receiver, order, sending
) -> None:
    clock = app.jobs.clock = StandsStill()
    await hospital.close()
    await add_receiver(hospital, sends=["orders"])
    await order()
    async with sending():
        await tried(app)
        [quiet] = await receivers_health(app)
        assert (quiet.works, quiet.sentence) == (True, "1 messages wait")
        clock.move_on(days=29, hours=23)
        await tried(app)
        [loud] = await receivers_health(app)
        assert (loud.works, loud.name) == (False, "hl7 receiver HIS")
        assert "the first was not taken for 29 days, 23:00:00: nobody listens at 127.0.0.1" in loud.sentence
        assert [row["state"] for row in await rows(app)] == ["waiting"]
        clock.move_on(hours=1)
        [row] = await settled(app, "failed")
    assert row["sentence"].startswith("nobody listens at")
    await app.troubles.flush()
    told = [one for one in await app.troubles.all() if one.kind == "receiver"]
    assert [(one.who, one.address) for one in told] == [("HIS", f"127.0.0.1:{hospital.port}")]
    assert [one.sentence for one in await receivers_health(app)] == ["nothing waits"]


async def tried(app):
    """Wait for two more tries."""
    [before] = await rows(app)
    await until(lambda: _tried(app, before["attempts"] + 2))


async def _tried(app, times):
    return [row["attempts"] >= times for row in await rows(app)] == [True]


async def test_the_time_that_a_receiver_is_switched_off_does_not_count(
    app, hospital, add_receiver, order, sending, monkeypatch
) -> None:
    monkeypatch.setattr(sender, "LOOK_AGAIN", timedelta(seconds=0.05))
    clock = app.jobs.clock = StandsStill()
    await hospital.close()
    await add_receiver(hospital, sends=["orders"])
    await order()
    async with sending():
        await tried(app)
        await receivers.change(app, "HIS", {"enabled": False}, SYSTEM, ORIGIN)
        await until(lambda: _rests(app))
    assert await receivers_health(app) == []
    clock.move_on(days=40)
    await receivers.change(app, "HIS", {"enabled": True}, SYSTEM, ORIGIN)
    await until(lambda: _is_on(app))
    async with sending():
        await tried(app)
        assert [row["state"] for row in await rows(app)] == ["waiting"]


async def _is_on(app):
    """Whether this process knows that it is: to put a job off by the clock that has moved would be for ever."""
    async with app.db.reading() as connection:
        return (await receivers.known_receivers(app).all(connection))["HIS"].enabled


async def _rests(app):
    return [row["tried_since"] for row in await rows(app)] == [None]


BAD = {
    "garbage": (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n" + END, "no frame of MLLP"),
    "no message": (lambda _: BEGIN + b"OK" + END, "no message of HL7"),
    "no code": (lambda _: BEGIN + b"MSH|^~\\&|A\rMSA||1\r" + END, "no acknowledgement code"),
    "of another": (lambda _: BEGIN + b"MSH|^~\\&|A\rMSA|AA|other\r" + END, "answered another message"),
    "nothing": (lambda _: None, "ended the connection without an answer"),
    "half": (lambda _: BEGIN + b"MSH|^~\\&|A\rMSA|AA|", "did not answer within"),
}


async def test_what_is_no_answer_to_it_does_not_count_as_one(
    app, hospital, add_receiver, order, sending, monkeypatch
) -> None:
    monkeypatch.setattr(mllp, "ANSWER_S", 0.3)
    await add_receiver(hospital, sends=["orders"])
    async with sending():
        for number, (answer, sentence) in enumerate(BAD.values()):
            hospital.answers = [answer]
            await order(f"A{number}")
            await until(lambda sentence=sentence: _says(app, sentence))
            hospital.answers = [hospital.says("AA")]
            await settled(app, *["done"] * (number + 1))


async def _says(app, sentence):
    return any(sentence in row["sentence"] for row in await rows(app))


async def test_a_slow_one_is_waited_for_and_no_longer(app, hospital, add_receiver, order, sending, monkeypatch) -> None:
    monkeypatch.setattr(mllp, "ANSWER_S", 0.2)
    hospital.answers = [lambda _: b"", hospital.says("AA")]
    await add_receiver(hospital, sends=["orders"])
    await order()
    async with sending():
        [row] = await settled(app, "done")
    assert row["attempts"] == 2


async def test_who_dies_between_answer_and_note_sends_one_double_with_the_same_control_id(
    app, hospital, add_receiver, order, sending, monkeypatch
) -> None:
    note, noted = sender._note, []

    async def dies_once(*args, **more):
        noted.append(args)
        if len(noted) == 1:
            raise asyncio.CancelledError
        return await note(*args, **more)

    await add_receiver(hospital, sends=["orders"])
    await order()
    monkeypatch.setattr(sender, "_note", dies_once)
    async with sending():
        await settled(app, "done")
    assert len({one.control_id for one in hospital.taken}) == 1
    assert len(hospital.taken) == 2


async def test_one_that_is_switched_off_or_removed_is_sent_nothing(app, hospital, add_receiver, order, sending) -> None:
    await add_receiver(hospital, sends=["orders"])
    await order("A1")
    await receivers.change(app, "HIS", {"enabled": False}, SYSTEM, ORIGIN)
    async with sending():
        await until(lambda: _put_off(app))
        assert [row["state"] for row in await rows(app)] == ["waiting"]
        await receivers.remove(app, "HIS", SYSTEM, ORIGIN)
        [job] = await app.jobs.list()
        await app.jobs.resend(job.id)
        [row] = await settled(app, "failed")
    assert (hospital.taken, row["sentence"]) == ([], "there is no receiver HIS any more")


async def _put_off(app):
    return [job.last_error for job in await app.jobs.list()] == ["the receiver is switched off"]


# -- order states --------------------------------------------------------------------------------------------------------
async def states(app, hospital):
    await until(lambda: _all_sent(app))
    return [(one.text("ORC-3"), one.text("ORC-5")) for one in hospital.taken]


async def _all_sent(app):
    return all(row["state"] == "done" for row in await rows(app) if row["direction"] == "out")


async def test_the_state_of_an_order_is_told_when_it_changes(app, hospital, add_receiver, order, sending) -> None:
    await add_receiver(hospital, sends=["orders"])
    one, two = await order("A1"), await order("A2")
    await order("A1", name="PEREZ^ANA MARIA")  # written again, in the same state
    async with app.db.transaction() as tx:
        await set_status(app, tx, [one.id], Status.READY, "")
        await set_status(app, tx, [one.id], Status.STARTED, "")
        await set_status(app, tx, [one.id], Status.COMPLETED, "")
        await set_status(app, tx, [two.id], Status.DISCONTINUED, "")
    async with sending():
        told = await states(app, hospital)
    assert told == [("A1", "SC"), ("A2", "SC"), ("A1", "IP"), ("A1", "CM"), ("A2", "CA")]


ORDER = """MSH|^~\\&|HIS|NORTE|CHARRUA||20260306120000||ORM^O01|{control}|P|2.3
PID|1||4711^^^NORTE||PEREZ^ANA
ORC|{control}|P-1|A7
OBR|1|P-1|A7|CTH^CT of the head|||20260306173000|||||||||||A7
"""


async def test_who_has_said_so_is_not_told_it_back(app, hospital, add_receiver, sending) -> None:
    await add_receiver(hospital, sends=["orders"], application="HIS", facility="NORTE")
    await add_receiver(hospital, "RIS", sends=["orders"], application="RIS")
    came = await Arrival.read(ORDER.format(control="NW").encode(), "127.0.0.1")
    await keep(app, [came])
    async with app.db.transaction() as tx:
        [number] = await tx.scalars(select(entry.c.id))
        await set_status(app, tx, [number], Status.STARTED, "")  # by a modality
    cancelled = await Arrival.read(ORDER.format(control="DC").encode(), "127.0.0.1")
    await keep(app, [cancelled])
    async with sending():
        await states(app, hospital)
    assert (came.refused, cancelled.refused) == (None, None)
    told = [(one.text("MSH-5"), one.text("ORC-5")) for one in hospital.taken]
    assert sorted(told) == sorted([("RIS", "SC"), ("RIS", "IP"), ("HIS", "IP"), ("RIS", "DC")])


async def test_what_is_rolled_back_is_told_to_nobody(app, hospital, add_receiver, order) -> None:
    await add_receiver(hospital, sends=["orders"])
    with pytest.raises(RuntimeError):
        async with app.db.transaction() as tx:
            one = await order("A1")
            await set_status(app, tx, [one.id], Status.STARTED, "")
            raise RuntimeError
    assert [row["message_type"] for row in await rows(app)] == ["ORM^O01"]
    assert len(await app.jobs.list()) == 1


async def test_without_receivers_of_orders_nothing_is_asked_of_the_database(app, order, monkeypatch) -> None:
    await order("A1")

    async def never(_tx):
        raise AssertionError

    monkeypatch.setattr(receivers, "_read", never)
    await order("A2")
    assert await rows(app) == []


# -- TLS -----------------------------------------------------------------------------------------------------------------
def a_context(authority, days=2):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("his", days))
    return context


CERTIFICATES = [
    ("encrypt", "stranger", 2, ""),
    ("verify", "hospital", 2, ""),
    ("verify", "stranger", 2, "its certificate will not do: unable to get local issuer certificate"),
    ("verify", "hospital", -1, "its certificate will not do: certificate has expired"),
]


async def test_a_receiver_with_tls(open_archive, hospital, tmp_path) -> None:
    signers = {name: Authority(tmp_path, name) for name in ("hospital", "stranger")}
    app = await open_archive(settings={"dicom_tls_authorities": str(signers["hospital"].path)})
    for tls, signer, days, sentence in CERTIFICATES:
        await hospital.close()
        await hospital.open(a_context(signers[signer], days))
        one = described("HIS", {"host": "127.0.0.1", "port": hospital.port, "tls": tls})
        if sentence:
            with pytest.raises(NotDelivered, match=sentence):
                await mllp.reach(app.settings, one)
        else:
            assert await mllp.reach(app.settings, one) > 0
            assert b"MSA|AA|" in await mllp.exchange(app.settings, one, b"MSH|^~\\&|X|||||||1")
    with pytest.raises(NotDelivered, match="without an answer"):  # a plain connection is taken, and no message answered
        await mllp.exchange(app.settings, replace(one, tls="off"), b"MSH|^~\\&|")
