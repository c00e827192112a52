"""Senders and editors at work on the same studies at once: afterwards the index says what its volumes say."""

from __future__ import annotations

import asyncio
import copy
import random
from contextlib import suppress

import pytest

from charrua_core.archive import remove
from charrua_core.archive.check.check import check
from charrua_core.archive.edit import edit
from charrua_core.archive.edit import undo as edit_undo
from charrua_core.archive.edit.values import from_keywords
from charrua_core.archive.index.dump import dump
from charrua_core.archive.regenerate import regenerate
from charrua_core.errors import EditInvalid, StorageFailed, StudyNotFound
from charrua_core.testing.objects import a_study
from charrua_core.types import SYSTEM, Level


class Crowd:
    """Senders of four studies, again and again with other bytes, and editors of them, all by chance."""

    def __init__(self, intake, seed):
        self.intake, self.app, self.chance = intake, intake.app, random.Random(seed)
        self.studies = [a_study(series=2, images=3, PatientID=f"P{number}") for number in range(4)]
        self.made = []
        for study in self.studies:
            for number, image in enumerate(study):
                image.StudyDescription = f"as image {number} has it"

    def study(self):
        return str(self.chance.choice(self.studies)[0].StudyInstanceUID)

    def image(self):
        return self.chance.choice(self.chance.choice(self.studies))

    def series(self):
        return str(self.image().SeriesInstanceUID)

    async def sender(self):
        for _ in range(15):
            image = copy.deepcopy(self.image())
            if self.chance.random() < 0.3:
                image.PatientName = f"Name{self.chance.randrange(5)}"
            if self.chance.random() < 0.1:
                image.StudyInstanceUID = self.study()
            await self.intake(image)

    async def editor(self):
        deeds = [self.correct, self.relabel, self.assign, self.merge, self.delete, self.undo, self.purge]
        for _ in range(10):
            with suppress(StudyNotFound, EditInvalid, StorageFailed):  # by chance, much cannot be done
                await self.chance.choice(deeds)()
            await asyncio.sleep(self.chance.random() / 50)

    async def correct(self):
        values = from_keywords({"PatientID": f"E{self.chance.randrange(9)}"})
        self.made.append(await edit.edit(self.app, SYSTEM, Level.STUDY, self.study(), values))

    async def relabel(self):
        values = from_keywords({"Modality": self.chance.choice(["MR", "US"])})
        self.made.append(await edit.edit(self.app, SYSTEM, Level.SERIES, self.series(), values))

    async def assign(self):
        self.made.append(await edit.assign_series(self.app, SYSTEM, self.series(), self.study()))

    async def merge(self):
        self.made.append(await edit.merge_studies(self.app, SYSTEM, self.study(), self.study()))

    async def delete(self):
        level = self.chance.choice([Level.STUDY, Level.SERIES, Level.IMAGE])
        uids = {Level.STUDY: self.study(), Level.SERIES: self.series(), Level.IMAGE: str(self.image().SOPInstanceUID)}
        self.made.append(await remove.delete(self.app, SYSTEM, level, uids[level]))

    async def undo(self):
        if self.made:
            await edit_undo.undo(self.app, SYSTEM, self.chance.choice(self.made).id)

    async def purge(self):
        deletions = [record for record in self.made if record.kind == "delete"]
        if deletions:
            await remove.purge(self.app, self.chance.choice(deletions).id)


@pytest.mark.parametrize("seed", range(3))
async def test_the_index_agrees_with_its_volumes_however_edits_and_arrivals_meet(intake, seed):
    crowd = Crowd(intake, seed)
    async with asyncio.timeout(120):
        await asyncio.gather(*(crowd.sender() for _ in range(4)), *(crowd.editor() for _ in range(3)))
    before = [line async for line in dump(intake.app.db)]
    assert (await check(intake.app, grace_s=0)).findings == []
    await regenerate.regenerate(intake.app)
    assert [line async for line in dump(intake.app.db)] == before
