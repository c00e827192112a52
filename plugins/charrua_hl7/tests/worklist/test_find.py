"""Modality Worklist as stations see it, over the network."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

from charrua_core.app import App, Start
from charrua_core.dicom import ProposedContext, associate
from charrua_core.testing.devices import UNCOMPRESSED
from charrua_core.testing.outside import dcmtk, with_dcmtk
from charrua_core.testing.scheduled import MODALITY_WORKLIST, Failed, ask, scheduled
from charrua_core.testing.waiting import until
from charrua_core.types import Peer
from charrua_hl7.worklist.entries import put

EVERYTHING = scheduled(AccessionNumber="", PatientName="", ScheduledStationAETitle="")


async def prepared(archive: Any, entries: list[Dataset], *peers: Peer) -> None:
    """Have the archive hold these entries, and know these peers beside CT1."""
    async with App.opened(Start(archive.environment)) as app:
        for peer in (Peer("CT1", "127.0.0.1", 104), *peers):
            await app.peers.add(peer, by="test")
        async with app.db.transaction() as tx:
            for number, one in enumerate(entries):
                await put(app, tx, one.to_json_dict(), order_key=f"{number}", source="test")


def entry(number: int, **attributes: Any) -> Dataset:
    start = {"ScheduledProcedureStepStartDate": "20260705", "ScheduledProcedureStepStartTime": f"{number % 24:02}0000"}
    return scheduled(
        **{"AccessionNumber": f"A{number}", "ScheduledProcedureStepID": f"S{number}", **start, **attributes}
    )


async def numbers(archive: Any, asked: Dataset = EVERYTHING, aet: str = "CT1", **how: Any) -> list[str]:
    return [one.AccessionNumber for one in await ask(archive.peer, asked, aet, **how)]


@pytest.mark.settings(worklist_results=3, worklist_timeout=0)
async def test_a_station_asks_for_its_worklist(archive) -> None:
    told = {
        "PatientName": "Núñez^José",
        "PatientID": "4711",
        "Modality": "CT",
        "ScheduledStationAETitle": ["CT1", "CT2"],
    }
    await prepared(
        archive,
        [entry(1, **told), entry(2, ScheduledStationAETitle="MR1"), entry(3), entry(4, ScheduledStationAETitle="US1")],
    )

    # What is asked for is told, empty where there is nothing, and nothing else.
    asked = scheduled(PatientName="núñ*", Modality="", ScheduledProcedureStepLocation="")
    asked.SpecificCharacterSet, asked.RequestedProcedureCodeSequence, asked.PatientWeight = "ISO_IR 100", [], None
    asked.PregnancyStatus, asked.TimezoneOffsetFromUTC = None, "+0100"
    [found] = await ask(archive.peer, asked, "CT1")
    assert found.SpecificCharacterSet == "ISO_IR 100"
    assert found.PatientName == "Núñez^José"
    assert (found.PatientWeight, found.PregnancyStatus, len(found.RequestedProcedureCodeSequence)) == (None, None, 0)
    assert {one.keyword for one in found} == {one.keyword for one in asked} - {"TimezoneOffsetFromUTC"}
    [step] = found.ScheduledProcedureStepSequence
    assert {one.keyword: one.value for one in step} == {"Modality": "CT", "ScheduledProcedureStepLocation": ""}
    [whole] = await ask(archive.peer, scheduled(PatientID="4711", ScheduledProcedureStepSequence=[]), "CT1")
    assert whole.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == ["CT1", "CT2"]

    # Names are matched fuzzily where that is agreed.
    fuzzy = scheduled(AccessionNumber="", PatientName="jo nun")
    assert (await numbers(archive, fuzzy), await numbers(archive, fuzzy, extended=b"\1\1\1")) == ([], ["A1"])

    # What cannot be asked, and by whom nothing can be.
    for wrong, aet, status in (
        (scheduled(ScheduledProcedureStepStartDate="soon"), "CT1", 0xA900),
        (scheduled(RequestedProcedureCodeSequence=[Dataset(), Dataset()]), "CT1", 0xA900),
        (EVERYTHING, "STRANGER", 0x0124),
        (EVERYTHING, "CT1", 0xA700),
    ):
        with pytest.raises(Failed) as failed:
            await ask(archive.peer, wrong, aet)
        assert failed.value.status == status
    # A station's own entries alone, and a peer's filter.
    await archive.run("settings", "set", "worklist_by_station", "true")

    async def has(aet: str, expected: list[str]) -> bool:
        return await numbers(archive, aet=aet) == expected

    await until(lambda: has("CT1", ["A1", "A3"]))
    assert await numbers(archive, scheduled(AccessionNumber="", ScheduledStationAETitle="MR1")) == []
    await archive.run("peer", "add", "CT1", "127.0.0.1", "104", "--see", "Modality=MR")
    await until(lambda: has("CT1", []))

    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])

    async def is_noted() -> bool:
        return await connection.fetchval("SELECT count(*) FROM core.audit WHERE detail->>'level' = 'WORKLIST'") > 8

    await until(is_noted)
    kept = await connection.fetchrow("SELECT * FROM core.audit WHERE detail->>'level' = 'WORKLIST' ORDER BY id LIMIT 1")
    await connection.close()
    assert (kept["event"], kept["who"], kept["succeeded"]) == ("110112", "CT1", True)
    assert "Núñez" not in archive.told() and "4711" not in archive.told()


@pytest.mark.settings(worklist_timeout=0)
async def test_a_query_is_cancelled_while_the_database_is_at_it(archive) -> None:
    await prepared(archive, [entry(1)])
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    contexts = [ProposedContext(MODALITY_WORKLIST, UNCOMPRESSED)]
    async with associate(archive.peer, contexts, calling_aet="CT1") as association, connection.transaction():
        await connection.execute("LOCK charrua_hl7.entry")
        responses = association.find(MODALITY_WORKLIST, encode(EVERYTHING, False, True) or b"")
        first = asyncio.ensure_future(anext(responses))
        await asyncio.wait((first,), timeout=0.3)
        await association.cancel()
        assert (await first)[0] == 0xFE00
    await connection.close()


JAPANESE = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
KOREAN = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
# Patient's Name, the character set of the peer, that of the query, and the bytes (PS3.5 H.3.1, I.2, J.3).
SAID = [
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "\\ISO 2022 IR 87", "", JAPANESE),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "", "\\ISO 2022 IR 87", JAPANESE),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "ISO_IR 100", "ISO_IR 192", b"Yamada^Tarou"),
    ("Hong^Gildong=洪^吉洞=홍^길동", "\\ISO 2022 IR 149", "", KOREAN),
    ("Διονυσιος", "ISO_IR 126", "", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2"),
    ("Люксембург", "", "ISO_IR 144", b"\xbb\xee\xda\xe1\xd5\xdc\xd1\xe3\xe0\xd3"),
    ("Wang^XiaoDong=王^小东", "GB18030", "", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab"),
    ("Wang^XiaoDong=王^小东", "", "", "Wang^XiaoDong=王^小东".encode()),
]


@with_dcmtk
@pytest.mark.settings(worklist_timeout=0)
async def test_findscu_is_told_names_in_the_bytes_of_its_character_set(archive, tmp_path: Path) -> None:
    named = list(dict.fromkeys(name for name, *_ in SAID))
    sets = [peer for _, peer, *_ in SAID]
    peers = [Peer(f"STN{number}", "127.0.0.1", 104, character_set=one) for number, one in enumerate(sets)]
    await prepared(archive, [entry(number, PatientName=name) for number, name in enumerate(named)], *peers)

    async def told(number: int) -> bytes:
        name, _, requested, _ = SAID[number]
        folder = tmp_path / str(number)
        folder.mkdir()
        keys = [f"AccessionNumber=A{named.index(name)}", "PatientName", f"SpecificCharacterSet={requested}"]
        options = [option for key in keys[: 3 if requested else 2] for option in ("-k", key)]
        called = ("-aet", f"STN{number}", "-aec", archive.peer.aet, archive.peer.host, archive.port)
        status, said = await dcmtk("findscu", "-W", "-X", "-od", folder, *options, *called)
        assert status == 0, said
        [path] = folder.iterdir()
        return path.read_bytes()

    answers = await asyncio.gather(*map(told, range(len(SAID))))
    for (_, _, _, expected), answer in zip(SAID, answers, strict=True):
        at = answer.index(b"\x10\0\x10\0PN") + 8
        assert answer[at - 2] == len(expected) + len(expected) % 2
        assert answer[at:].startswith(expected)
