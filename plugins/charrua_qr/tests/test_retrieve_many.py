"""Retrievals of many objects: the counts that are told, and what happens to a study while it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode

from charrua_core.dicom import (
    UNCOMPRESSED,
    Association,
    Message,
    ProposedContext,
    associate,
)
from charrua_core.sending.contexts import MOST_CONTEXTS, in_associations
from charrua_core.testing.objects import a_study, an_object
from charrua_qr.parts import BATCH
from charrua_qr.suboperations import MOST_NAMED, Counts

MOVE = "1.2.840.10008.5.1.4.1.2.2.2"


class Sink:
    """A destination that keeps the UIDs of what comes, and lets a test do something at the first object."""

    def __init__(self, at_first: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        self.uids: list[str] = []
        self.associations: set[str] = set()
        self._at_first = at_first

    async def take(self, association: Association, message: Message) -> None:
        await message.drain()
        if not self.uids and self._at_first is not None:
            await self._at_first()
        self.uids.append(message.command.affected_sop_instance_uid or "")
        self.associations.add(association.id)
        await association.respond(message, 0x0000)


async def responses_of(archive, study_uid: str) -> list[tuple[Any, bytes]]:
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", study_uid
    contexts = [ProposedContext(MOVE, UNCOMPRESSED)]
    async with (
        associate(archive.peer, contexts, calling_aet="WORKSTATION") as association,
        aclosing(association.move(MOVE, "SINK", encode(asked, False, True) or b"")) as responses,
    ):
        return [response async for response in responses]


async def test_a_study_that_changes_while_it_is_sent_is_sent_as_it_was_asked_for(
    archive, modality, workstation, listening
):
    study = a_study(images=BATCH + 10)
    uid = study[0].StudyInstanceUID
    last = an_object(StudyInstanceUID=uid)
    await modality.store(study, last)

    async def change() -> None:
        await modality.store(an_object(StudyInstanceUID=uid, SeriesInstanceUID=study[0].SeriesInstanceUID))
        await archive.run("archive", "delete", "series", last.SeriesInstanceUID)
        await asyncio.sleep(1.1)  # until it is time to tell how far it is

    sink = Sink(change)
    async with listening(sink.take, "SINK"):
        *pending, (final, failed) = await responses_of(archive, uid)
    for told, _ in pending:
        done = told.number_of_completed_suboperations + told.number_of_failed_suboperations
        assert told.number_of_remaining_suboperations + done == len(study) + 1
    assert pending
    assert sink.uids == [image.SOPInstanceUID for image in study]
    assert (final.status, final.number_of_completed_suboperations) == (0xB000, len(study))
    assert final.number_of_failed_suboperations == 1
    assert last.SOPInstanceUID.encode() in failed


async def test_kinds_past_the_contexts_of_one_association_go_over_another(archive, modality, workstation, listening):
    uid, kinds = generate_uid(), [f"1.2.3.{number}" for number in range(70)]
    images = [an_object(StudyInstanceUID=uid, SOPClassUID=kind) for kind in kinds]
    images += [an_object(StudyInstanceUID=uid, SOPClassUID=kinds[0])]  # comes last, and goes with the first
    await modality.store(images)
    sink = Sink()
    async with listening(sink.take, "SINK"):
        (final, _) = (await responses_of(archive, uid))[-1]
    assert (final.status, final.number_of_completed_suboperations) == (0x0000, 71)
    assert set(sink.uids) == {image.SOPInstanceUID for image in images}
    assert len(sink.associations) == 2


def test_one_class_in_more_syntaxes_than_contexts_is_split():
    kinds = [("1.2.3", f"1.2.3.{number}") for number in range(200)]
    groups = list(in_associations(kinds))
    assert {kind for group, _ in groups for kind in group} == set(kinds)
    assert all(len(contexts) <= MOST_CONTEXTS for _, contexts in groups)


def test_no_more_failed_objects_are_named_than_an_element_can_hold():
    counts = Counts(remaining=MOST_NAMED + 50)
    counts.fail(MOST_NAMED, [f"1.{number}" for number in range(MOST_NAMED - 10)])
    for number in range(50):
        counts.count(f"2.{number}", 0xA700)
    assert (counts.remaining, counts.failed, len(counts.failed_uids)) == (0, MOST_NAMED + 50, MOST_NAMED)
    assert counts.final_status(cancelled=False, cut=False) == 0xA702
