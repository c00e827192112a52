"""Storage and Verification as a modality meets them: contexts, statuses, the audit trail."""

from __future__ import annotations

import asyncio

import asyncpg
import orjson
import pytest

from charrua_core.dicom import ContextNotAccepted, ProposedContext, associate
from charrua_core.dicom.storage_classes import STORAGE_SOP_CLASSES
from charrua_core.testing.devices import Modality, received_of
from charrua_core.testing.objects import an_object
from charrua_core.testing.waiting import until
from charrua_core.types import Peer

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT, JPEG_LOSSLESS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.70"
NOT_STORAGE = [
    "1.2.840.10008.1.20.1",  # Storage Commitment Push Model
    "1.2.840.10008.1.3.10",  # Media Storage Directory
    "1.2.840.10008.5.1.4.39.2",  # Color Palette Query/Retrieve - FIND
    "1.2.840.10008.5.1.1.9",  # Basic Grayscale Print
]


async def send(archive, image, sop_class=None, instance=None, cut=0):
    """The response to a C-STORE whose command may say something else than the data set."""
    sent = received_of(image)
    sop_class = sop_class or sent.sop_class_uid
    contexts = [ProposedContext(sop_class, (sent.transfer_syntax_uid,))]
    async with associate(archive.peer, contexts, calling_aet="MODALITY") as association:
        data = sent.data_set[: len(sent.data_set) - cut]
        return await association.store(
            (sop_class, sent.transfer_syntax_uid), sop_class, instance or sent.sop_instance_uid, [data]
        )


async def trail(archive, event, expected=1):
    """The records of an event, once they are written."""
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    try:
        for _ in range(50):
            rows = await connection.fetch("SELECT * FROM core.audit WHERE event = $1 ORDER BY id", event)
            if len(rows) >= expected:
                break
            await asyncio.sleep(0.1)
        return rows
    finally:
        await connection.close()


async def test_an_echo_is_answered(modality):
    assert await modality.echo() == 0x0000


async def test_each_object_gets_its_status(archive):
    image = an_object()
    assert (await send(archive, image)).status == 0x0000
    assert (await send(archive, image)).status == 0x0000
    assert (await send(archive, an_object(), instance="1.2.3")).status == 0xA900
    assert (await send(archive, an_object(), instance="../../1.2.3")).status == 0x0117
    assert (await send(archive, an_object(), sop_class="1.2.840.10008.5.1.4.1.1.4")).status == 0xA900
    damaged = await send(archive, an_object(), cut=20)
    assert damaged.status == 0xC000
    assert 0 < len(damaged.error_comment) <= 64


@pytest.mark.settings(duplicate_policy="refuse")
async def test_other_bytes_of_a_known_instance_are_refused_with_their_status(archive):
    image = an_object()
    await send(archive, image)
    image.PatientID = "4712"
    assert (await send(archive, image)).status == 0x0111


@pytest.mark.settings(unknown_aets_may="echo")
async def test_who_may_not_store_is_told_so(archive, modality):
    assert await modality.echo() == 0x0000
    assert await modality.store(an_object()) == [0x0124]


async def test_an_unknown_sop_class_is_stored_by_default(modality):
    assert await modality.store(an_object(SOPClassUID="1.2.3.4.5.6")) == [0x0000]


async def test_an_unknown_transfer_syntax_is_stored_by_default(archive):
    sent, private = received_of(an_object()), "1.2.3.9"
    contexts = [ProposedContext(CT, (private,))]
    async with associate(archive.peer, contexts, calling_aet="MODALITY") as association:
        answer = await association.store((CT, private), CT, sent.sop_instance_uid, [sent.data_set])
    assert answer.status == 0x0000


@pytest.mark.settings(unknown_sop_classes=False)
async def test_unknown_sop_classes_are_not_taken_where_the_site_wants_it(modality):
    with pytest.raises(ContextNotAccepted):
        await modality.give(an_object(SOPClassUID="1.2.3.4.5.6"))


@pytest.mark.parametrize("known", [True, False])
async def test_the_first_transfer_syntax_offered_is_taken(start_archive, known):
    archive = await start_archive(settings={"unknown_transfer_syntaxes": known})
    offers = [(JPEG_LOSSLESS, EXPLICIT), (IMPLICIT, JPEG_LOSSLESS), ("1.2.3.9", EXPLICIT)]
    contexts = [ProposedContext(CT, offer) for offer in offers]
    async with associate(archive.peer, contexts, calling_aet="MODALITY") as association:
        taken = [association.accepted[number].transfer_syntax for number in (1, 3, 5)]
    assert taken == [JPEG_LOSSLESS, IMPLICIT, "1.2.3.9" if known else EXPLICIT]


async def test_every_storage_sop_class_is_taken_and_no_other_service(archive):
    async def accepted(uids):
        contexts = [ProposedContext(uid, (IMPLICIT, EXPLICIT)) for uid in uids]
        async with associate(archive.peer, contexts, calling_aet="MODALITY") as association:
            return {context.abstract_syntax for context in association.accepted.values()}

    uids = sorted(STORAGE_SOP_CLASSES)
    assert len(uids) > 170
    assert await accepted(uids[:100]) | await accepted(uids[100:]) == set(uids)
    assert not {CT, *NOT_STORAGE} & (await accepted([*NOT_STORAGE, uids[0]]) - {uids[0]})


async def test_the_audit_trail_tells_what_an_association_brought(archive, modality):
    image = an_object()
    await modality.give(image, image)
    [begun] = await trail(archive, "110102")
    [ended] = await trail(archive, "110104")
    assert begun["study_uids"] == ended["study_uids"] == [image.StudyInstanceUID]
    assert orjson.loads(ended["detail"])["stored"] == 2
    assert (ended["who"], ended["succeeded"]) == ("MODALITY", True)
    assert orjson.loads(begun["origin"])["association_id"] == orjson.loads(ended["origin"])["association_id"]


async def test_many_modalities_at_once_lose_nothing(archive):
    peer: Peer = archive.peer
    objects = [[an_object() for _ in range(5)] for _ in range(10)]
    statuses = await asyncio.gather(*[Modality(peer, f"MODALITY{n}").store(group) for n, group in enumerate(objects)])
    assert all(status == 0x0000 for group in statuses for status in group)
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    assert await connection.fetchval("SELECT count(*) FROM core.instance") == 50
    await connection.close()


async def test_a_peer_that_is_changed_by_a_command_is_treated_as_it_is_now(archive, modality):
    async def known_by_what_it_may(*permissions):
        await archive.run("peer", "add", modality.aet, "127.0.0.1", "104", "--may", ",".join(permissions))

    image = an_object()
    await known_by_what_it_may("echo")
    assert await modality.store(image) == [0x0124]
    await known_by_what_it_may("echo", "store")

    async def is_taken():
        return await modality.store(image) == [0x0000]

    await until(is_taken)
