"""Troubles: what is alike is one row, and nobody waits for it to be written."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from charrua_core import peers, trouble
from charrua_core.db import Database
from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import an_object
from charrua_core.trouble import Trouble, Troubles
from charrua_core.types import Peer


async def kept(db: Database) -> list[Trouble]:
    return await Troubles(db).all()


async def test_what_is_alike_is_one_row_with_a_count(db: Database) -> None:
    troubles = Troubles(db)
    for free in (812, 811):
        troubles.note("operation", "CT1", "10.0.0.8", f"volume 1 has {free} MiB left", status="A700")
    await troubles.flush()
    troubles.note("operation", "CT1", "10.0.0.8", "volume 1 has 9 MiB left", status="A700")
    await troubles.close()
    [one] = await kept(db)
    assert (one.times, one.facts) == (3, {"status": "A700", "reason": "volume 1 has 9 MiB left"})


@pytest.mark.parametrize("other", [{"who": "CT2"}, {"address": "10.0.0.9"}, {"called": "PACS2"}, {"reason": "asleep"}])
async def test_what_differs_is_another_row(db: Database, other: dict[str, str]) -> None:
    troubles, first = Troubles(db), {"who": "CT1", "address": "10.0.0.8", "called": "PACS1"}
    troubles.note("called_aet", **first)
    troubles.note("called_aet", **{**first, **other})
    await troubles.close()
    assert len(await kept(db)) == 2


async def test_the_uid_of_a_study_is_not_kept(db: Database) -> None:
    troubles = Troubles(db)
    troubles.note("sending", "WS1", reason="WS1 did not take 2 objects; 1.2.840.113619.2.55.3: refused")
    await troubles.close()
    assert (await kept(db))[0].facts["reason"] == "WS1 did not take 2 objects; …: refused"


async def test_what_postgresql_cannot_keep_does_no_harm(db: Database) -> None:
    troubles = Troubles(db)
    troubles.note("called_aet", "A\0B", "10.0.0.8", called="\x07")
    await troubles.close()
    assert (await kept(db))[0].who == "A\N{REPLACEMENT CHARACTER}B"


async def test_somebody_who_invents_names_fills_neither_memory_nor_table(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "MOST_WAITING", 10)
    monkeypatch.setattr(trouble, "MOST_KEPT", 8)
    troubles = Troubles(db)
    for number in range(50):
        troubles.note("called_aet", f"AE{chr(65 + number)}", "10.0.0.8", called="X")
    await troubles.close()
    found = await kept(db)
    assert len(found) == 8
    assert max(one.times for one in found) == 40


async def test_what_was_seen_is_new_again_when_it_happens_again(db: Database) -> None:
    troubles = Troubles(db)
    troubles.note("called_aet", "CT1", called="X")
    await troubles.flush()
    assert await troubles.count_new() == 1
    assert await troubles.see(None, "root") == 1
    assert await troubles.count_new() == 0
    troubles.note("called_aet", "CT1", called="X")
    await troubles.close()
    assert await troubles.count_new() == 1


async def test_what_is_muted_counts_no_more(db: Database) -> None:
    troubles = Troubles(db)
    troubles.note("called_aet", "CT1", called="X")
    await troubles.flush()
    [one] = await troubles.all()
    await troubles.mute([one.id], "root")
    troubles.note("called_aet", "CT1", called="X")
    await troubles.close()
    assert await troubles.count_new() == 0
    await troubles.mute([one.id], "root", muted=False)
    assert not (await troubles.all())[0].muted


# -- where they come from ------------------------------------------------------------------------------------------------
@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "REJECTION_DELAY", 0)


async def listening(open_archive: Any, **settings: Any) -> tuple[Any, Any, Peer]:
    """An archive with its listener in this process."""
    from charrua_core.services.listener import DicomListener

    app = await open_archive(settings)
    listener = DicomListener(app)
    app.sockets.update(listener.bind())
    port = int((await listener.start()).rpartition(":")[2])
    return app, listener, Peer("CHARRUA", "127.0.0.1", port)


async def noted(app: Any) -> list[Trouble]:
    await app.troubles.flush()
    found: list[Trouble] = await app.troubles.all()
    return found


async def test_a_wrong_called_title_is_noted_with_what_was_called(open_archive: Any) -> None:
    from charrua_core.dicom import PeerRejected

    app, listener, here = await listening(open_archive)
    with pytest.raises(PeerRejected):
        await Modality(Peer("PACS1", here.host, here.port), aet="CT2").echo()
    [one] = await noted(app)
    assert (one.kind, one.who, one.address, one.facts) == ("called_aet", "CT2", "127.0.0.1", {"called": "PACS1"})
    await app.change_setting("dicom_other_aets", "PACS1", by="root")
    await Modality(Peer("PACS1", here.host, here.port), aet="CT2").echo()
    await listener.stop()


async def test_an_object_that_is_refused_is_noted_with_operation_status_and_reason(open_archive: Any) -> None:
    app, listener, here = await listening(open_archive, accept_empty_patient_id="refuse")
    [status] = await Modality(here, aet="CT2").store([an_object(PatientID="")])
    [one] = await noted(app)
    assert (status, one.kind, one.who) == (0xA900, "operation", "CT2")
    assert one.facts | {"sop_class": ""} == {
        "operation": "C-STORE",
        "status": "A900",
        "sop_class": "",
        "reason": "the Patient ID is empty",
    }
    await listener.stop()


async def test_one_who_speaks_http_at_the_dicom_port_is_noted_as_such(open_archive: Any) -> None:
    app, listener, here = await listening(open_archive)
    reader, writer = await asyncio.open_connection(here.host, here.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n")
    await reader.read(10)  # the A-ABORT
    writer.close()
    [one] = await noted(app)
    assert (one.kind, one.facts["reason"]) == ("protocol", "it speaks HTTP")
    await listener.stop()


async def test_services_that_are_not_offered_are_named(open_archive: Any) -> None:
    from charrua_core.dicom import ProposedContext, associate

    app, listener, here = await listening(open_archive)
    film = ProposedContext("1.2.840.10008.5.1.1.9", ["1.2.840.10008.1.2"])
    ct = ProposedContext("1.2.840.10008.5.1.4.1.1.2", ["1.2.840.10008.1.2"])
    async with associate(here, [film, ct], calling_aet="CT2"):
        pass
    [one] = await noted(app)
    assert (one.kind, one.facts) == ("contexts", {"not_offered": "Basic Grayscale Print Management Meta SOP Class"})
    await listener.stop()


async def test_a_refused_log_in_is_noted_without_what_stood_in_the_place_of_a_name(open_archive: Any) -> None:
    from charrua_core.errors import NotPermitted

    app = await open_archive()
    for name in ("admin", "my secret password"):
        with pytest.raises(NotPermitted):
            await app.log_in({"scheme": "password", "name": name, "password": "wrong", "address": "10.0.0.8"})
    assert {(one.kind, one.who) for one in await noted(app)} == {("log_in", "admin"), ("log_in", "")}
