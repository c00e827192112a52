"""The MLLP listener: what senders are told, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Any

import pytest

from charrua_core.services import AddressTaken
from charrua_core.testing.certificates import Authority
from charrua_hl7.intake.framing import framed
from charrua_hl7.intake.messages import Asked, find, one, process_again
from charrua_hl7.message import Message
from charrua_hl7.testing import code, order


async def test_an_order_is_answered_once_it_and_its_entry_are_committed(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        answer = await his.send(order("7"))
    [kept] = await listening.rows()
    [entry] = await listening.entries()
    assert (code(answer), answer.text("MSA-2"), answer.text("MSH-5"), answer.text("MSH-9")) == (
        "AA",
        "C7NW",
        "HIS",
        "ACK",
    )
    assert (answer.text("MSH-3"), answer.text("MSH-9.2"), answer.text("MSH-12")) == ("CHARRUA", "O01", "2.5.1")
    assert (kept.state, kept.acknowledgement, kept.sentence, kept.attempts) == ("done", "AA", "1 entry added", 1)
    assert (kept.message_type, kept.control_id, kept.patient_id, kept.accession_number) == (
        "ORM^O01",
        "C7NW",
        "4711",
        "A7",
    )
    assert (entry.accession_number, entry.status, entry.message_id) == ("A7", "SCHEDULED", kept.id)


async def test_pipelined_messages_are_answered_in_their_order(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        await his.raw(b"".join(framed(order(str(n), control_id=f"M{n}").encode()) for n in range(200)))
        told = [Message.parse(await his.answer()).text("MSA-2") for _ in range(200)]
    assert told == [f"M{n}" for n in range(200)]
    assert len(await listening.entries()) == 200


async def test_a_repeated_message_gets_the_same_answer_and_is_done_once(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        first = await his.send(order("7", control_id="X"))
        again = await his.send(order("7", control_id="X"))
        other = await his.send(order("8", control_id="X"))
    assert again == first
    assert other.text("MSH-10") != first.text("MSH-10")
    assert [row.version for row in await listening.entries()] == [1, 1]


async def test_repeated_messages_that_come_at_once_are_done_once(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        await his.raw(framed(order("7").encode()) * 5)
        told = {await his.answer() for _ in range(5)}
    assert len(told) == len(await listening.rows()) == 1


REFUSED = {
    "no message": ("NONSENSE", "AR", "100", "MSH"),
    "empty": ("", "AR", "100", ""),
    "type": (order(sent="MFN^M01"), "AR", "200", "MSH^1^9"),
    "event": (order(sent="ORM^O02"), "AR", "201", "MSH^1^9"),
    "unknown order": (order(control="CA"), "AE", "204", "ORC^1^2"),
    "unknown control": (order(control="ZZ"), "AE", "102", "ORC^1^1"),
    "no patient": (order(patient=""), "AE", "101", "PID^1^3"),
    "steps": (order() + "OBR|1|P1|F1\r" * 201, "AR", "207", ""),
    "segments": (order() + "NTE|1||x\r" * 1001, "AR", "207", ""),
    "repetitions of a field of MSH": (order(sent="~" * 300), "AR", "207", "MSH"),
    "fields": (order() + "ZZZ" + "|" * 1002, "AR", "207", "ZZZ"),
}


async def test_what_cannot_be_taken_is_refused_with_the_reason_and_kept(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        answers = {case: await his.send(sent) for case, (sent, *_) in REFUSED.items()}
        assert code(await his.send(order("9"))) == "AA"
    kept = dict(zip(REFUSED, await listening.rows(), strict=False))
    for case, (sent, acknowledgement, condition, location) in REFUSED.items():
        answer, row = answers[case], kept[case]
        assert (code(answer), answer.text("ERR-3.1"), answer.text("ERR-4")) == (acknowledgement, condition, "E"), case
        assert answer.first("ERR").written(2) == location, case  # type: ignore[union-attr]
        assert (row.state, row.acknowledgement, row.content) == ("failed", acknowledgement, sent.encode()), case
        assert row.sentence == answer.text("ERR-8"), case


async def test_before_version_2_5_the_reason_stands_where_those_versions_have_it(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        answer = await his.send(order(control="CA", version="2.3"))
    assert (answer.text("MSH-9"), answer.text("MSH-9.2"), answer.text("MSH-9.3")) == ("ACK", "O01", "")
    assert (answer.text("MSA-6"), answer.text("ERR-1.4")) == ("204", "204")
    assert answer.text("MSA-3") == "no order of this number is known here"


ENHANCED = (
    ("AL", "NE", "NW", ["CA"]),
    ("AL", "", "NW", ["CA"]),
    ("NE", "", "NW", ["AA"]),
    ("", "NE", "NW", ["AA"]),
    ("NE", "AL", "NW", ["AA"]),
    ("AL", "AL", "NW", ["CA", "AA"]),
    ("ER", "ER", "NW", []),
    ("ER", "NE", "ZZ", ["CE"]),
    ("SU", "ER", "ZZ", ["AE"]),
)


async def test_enhanced_mode_answers_what_the_sender_asks_for(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        for number, (accept, application, control, codes) in enumerate(ENHANCED):
            await his.raw(framed(order(str(number), control, mode=f"|||{accept}|{application}").encode()))
            await his.raw(framed(order("99", control_id=f"after {number}").encode()))
            told = [Message.parse(await his.answer()) for _ in range(len(codes) + 1)]
            assert [code(answer) for answer in told] == [*codes, "AA"]
            assert told[-1].text("MSA-2") == f"after {number}"


async def test_a_batch_is_answered_as_a_batch(listen: Any) -> None:
    listening = await listen()
    head = "FHS|^~\\&|HIS|CLINIC|||||||FILE1\rBHS|^~\\&|HIS|CLINIC|||||||BATCH1\r"
    async with listening.sender() as his:
        await his.raw(framed((head + order("1") + order("2", "CA") + "BTS|2\rFTS|1\r").encode()))
        lines = (await his.answer()).decode().split("\r")
    assert [line[:3] for line in lines if line] == ["FHS", "BHS", "MSH", "MSA", "MSH", "MSA", "ERR", "BTS", "FTS"]
    assert lines[1].split("|")[11] == "BATCH1"
    assert [line for line in lines if line.startswith(("MSA", "BTS"))][::2] == ["MSA|AA|C1NW", "BTS|2"]


async def test_several_messages_in_a_frame_are_answered_one_by_one(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        await his.raw(framed((order("1") + order("2")).encode()))
        assert [Message.parse(await his.answer()).text("MSA-2") for _ in range(2)] == ["C1NW", "C2NW"]


async def test_an_acknowledgement_is_not_answered(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        await his.raw(framed(b"MSH|^~\\&|HIS||||1||ACK|9|P|2.5\rMSA|AA|1\r"))
        assert (await his.send(order())).text("MSA-2") == "C1001NW"


async def test_an_error_of_ours_is_answered_ae_without_details_and_can_be_done_again(
    listen: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from charrua_core.types import SYSTEM
    from charrua_hl7 import mapping

    async def broken(*_: Any) -> Any:
        raise RuntimeError("^".join(("Perez", "Ana")))

    listening = await listen()
    with monkeypatch.context() as patched:
        patched.setattr(mapping, "ordered_steps", broken)
        async with listening.sender() as his:
            answer = await his.send(order())
    assert (code(answer), answer.text("ERR-3.1")) == ("AE", "207")
    assert "Perez" not in str(answer)
    assert "RuntimeError" in caplog.text
    assert "Perez^Ana" not in caplog.text
    [failed] = await find(listening.app, Asked(state="failed"))
    [done] = await process_again(listening.app, SYSTEM, [failed.id])
    assert (done.state, done.acknowledgement, done.attempts) == ("done", "AA", 2)
    assert len(await listening.entries()) == 1
    whole = await one(listening.app, done.id)
    assert whole is not None
    assert b"MSA|AA" in whole.answer


async def test_one_message_that_breaks_the_archive_does_not_take_others_with_it(
    listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from charrua_hl7 import mapping

    known = mapping.ordered_steps

    async def sometimes(app: Any, tx: Any, message: Message) -> Any:
        if message.text("ORC-3") == "F3":
            raise RuntimeError
        return await known(app, tx, message)

    listening = await listen()
    monkeypatch.setattr(mapping, "ordered_steps", sometimes)
    async with listening.sender() as his:
        await his.raw(b"".join(framed(order(str(n)).encode()) for n in range(6)))
        told = [code(Message.parse(await his.answer())) for _ in range(6)]
    assert told == ["AA", "AA", "AA", "AE", "AA", "AA"]
    assert len(await listening.entries()) == 5


async def test_without_the_database_nothing_is_acknowledged(listen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from charrua_core.errors import DatabaseUnavailable
    from charrua_hl7.intake import intake

    async def away(*_: Any) -> None:
        raise DatabaseUnavailable("gone")

    listening = await listen()
    with monkeypatch.context() as patched:
        patched.setattr(intake, "keep", away)
        async with listening.sender() as his:
            await his.raw(framed(order().encode()))
            assert await his.reader.read() == b""
    async with listening.sender() as his:
        assert code(await his.send(order())) == "AA"


async def test_a_sender_that_may_not_send_is_cut_off_and_noted(listen: Any) -> None:
    listening = await listen()
    await listening.app.change_setting("hl7_senders", "10.1.0.0/16 192.0.2.7", by="root")
    async with listening.sender() as his, asyncio.timeout(5):
        assert await his.reader.read() == b""
    await listening.app.troubles.flush()
    [trouble] = await listening.app.troubles.all()
    assert (trouble.kind, trouble.address, trouble.facts["setting"]) == ("connection", "127.0.0.1", "hl7_senders")
    await listening.app.change_setting("hl7_senders", "127.0.0.0/8", by="root")
    async with listening.sender() as his:
        assert code(await his.send(order())) == "AA"


async def test_there_are_no_more_connections_than_may_be(listen: Any) -> None:
    listening = await listen(hl7_max_connections_per_address=2)
    async with listening.sender() as one_of_two, listening.sender() as two, listening.sender() as three:
        assert code(await one_of_two.send(order("1"))) == "AA"
        assert code(await two.send(order("2"))) == "AA"
        async with asyncio.timeout(5):  # sooner than one that is idle
            assert await three.reader.read() == b""
    await asyncio.sleep(0.05)
    async with listening.sender() as his:
        assert code(await his.send(order("3"))) == "AA"


async def test_a_message_that_is_too_long_is_refused(listen: Any) -> None:
    listening = await listen(hl7_max_message_bytes=4096)
    async with listening.sender() as his:
        answer = await his.send(order() + "NTE|1||" + "x" * 5000)
        assert await his.reader.read() == b""
    assert (code(answer), answer.text("MSA-2")) == ("AR", "C1001NW")


@pytest.mark.parametrize(
    ("sent", "settings"),
    [
        (b"\x0bMSH|^~\\&|never closed", {"hl7_frame_timeout": "1 s"}),
        (b"", {"hl7_idle_timeout": "1 s"}),
        (b"GET / HTTP/1.1\r\n\r\n", {}),
    ],
)
async def test_who_is_slow_silent_or_strange_is_cut(listen: Any, sent: bytes, settings: dict[str, str]) -> None:
    listening = await listen(**settings)
    async with listening.sender() as his, asyncio.timeout(5):
        await his.raw(sent)
        with contextlib.suppress(ConnectionResetError):
            assert await his.reader.read() == b""


async def test_over_tls_messages_are_taken_as_well(listen: Any) -> None:
    listening = await listen(hl7_tls="encrypt")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    assert listening.told.startswith("hl7+tls ")
    async with listening.sender(ssl=context) as his:
        assert code(await his.send(order())) == "AA"


async def test_over_tls_the_listener_has_its_own_certificate_and_asks_for_the_senders(
    listen: Any, tmp_path: Path
) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    (certificate, key), his_own = ours.issue("localhost"), theirs.issue("his")
    files = {"certificate": certificate, "key": key, "authorities": theirs.path}
    listening = await listen(hl7_tls="require", **{f"hl7_tls_{name}": str(path) for name, path in files.items()})
    context = ssl.create_default_context(cafile=ours.path)
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        async with listening.sender(ssl=context, server_hostname="localhost") as nobody:
            await nobody.send(order())
    context.load_cert_chain(*his_own)
    async with listening.sender(ssl=context, server_hostname="localhost") as his:
        assert code(await his.send(order())) == "AA"


async def test_a_port_that_is_taken_is_named(listen: Any) -> None:
    listening = await listen()
    with pytest.raises(AddressTaken, match=f"the HL7 listener cannot listen at 127.0.0.1 port {listening.where[1]}"):
        await listen(hl7_port=listening.where[1])


async def test_messages_are_found_by_what_is_asked(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        for number in range(5):
            await his.send(order(str(number), patient=f"PAT{number % 2}"))
        await his.send(order("9", "CA"))
    app = listening.app
    newest = await find(app, Asked(), limit=2)
    assert [kept.control_id for kept in newest] == ["C9CA", "C4NW"]
    assert [kept.control_id for kept in await find(app, Asked(before=newest[-1].id), limit=1)] == ["C3NW"]
    for asked, count in (
        (Asked(state="failed"), 1),
        (Asked(patient_id="PAT1"), 2),
        (Asked(message_type="ORM"), 6),
        (Asked(message_type="ORM^O02"), 0),
        (Asked(accession_number="A3"), 1),
        (Asked(text="CT of the head"), 6),
        (Asked(text="|F3|"), 1),
        (Asked(acknowledgement="AA", party="127.0.0.1"), 5),
    ):
        assert len(await find(app, asked)) == count, asked


async def test_messages_that_wait_are_processed_and_old_ones_removed(listen: Any) -> None:
    from sqlalchemy import text

    from charrua_hl7.intake.upkeep import process_waiting, remove_old

    listening = await listen()
    async with listening.sender() as his:
        await his.send(order("1"))
        await his.send(order("2"))
    async with listening.app.db.transaction() as tx:
        await tx.execute(text("DELETE FROM charrua_hl7.entry"))
        await tx.execute(text("UPDATE charrua_hl7.message SET state = 'waiting' WHERE control_id = 'C1NW'"))
        await tx.execute(
            text("UPDATE charrua_hl7.message SET at = now() - interval '91 days' WHERE control_id = 'C2NW'")
        )
    assert await process_waiting(listening.app) == 1
    assert [entry.accession_number for entry in await listening.entries()] == ["A1"]
    assert await remove_old(listening.app) == 1
    assert [row.control_id for row in await listening.rows()] == ["C1NW"]


async def test_health_tells_whether_the_listener_is_there(listen: Any) -> None:
    from charrua_hl7.intake.health import listener_health as look

    listening = await listen()
    assert await look(listening.app) == []  # a command, which asks nobody
    listening.app.roles = frozenset({"dicom"})
    [there] = await look(listening.app)
    assert (there.works, there.sentence) == (True, f"listens at 127.0.0.1 port {listening.where[1]}")
    await listening.listener.stop()
    assert not (await look(listening.app))[0].works


async def test_a_sender_that_sends_far_ahead_does_not_hold_up_another(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as hasty, listening.sender() as calm:
        await hasty.raw(b"".join(framed(order(str(n)).encode()) for n in range(300)))
        assert code(await calm.send(order("calm"))) == "AA"
        kept = await listening.rows()
        assert len(kept) < 200
        for _ in range(300):
            await hasty.answer()
