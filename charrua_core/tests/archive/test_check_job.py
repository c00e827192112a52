"""A check of the archive as a job: its result is kept, it can be stopped, and there is one at a time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest

from charrua_core.archive.check import job
from charrua_core.errors import EditInvalid
from charrua_core.jobs import Worker
from charrua_core.testing.objects import a_study
from charrua_core.testing.waiting import until
from charrua_core.types import Origin

ROOT = Origin("web", user="root")


@asynccontextmanager
async def working(app):
    worker = asyncio.create_task(Worker(app.db, [job.check_job(app)]).run())
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def ended(app):
    async def has_ended():
        return (await job.latest(app)).ended_at is not None

    await until(has_ended)
    return await job.latest(app)


async def test_what_a_check_finds_is_kept(intake, monkeypatch):
    for image in a_study(images=3):
        await intake(image)
    intake.files()[0].unlink()
    monkeypatch.setattr(job, "check", partial(job.check, grace_s=0))
    await job.ask(intake.app, quick=False, by="root", origin=ROOT)
    async with working(intake.app):
        done = await ended(intake.app)
    assert (done.outcome, done.objects, done.found) == ("done", 3, 1)
    assert done.findings[0]["kind"] == "missing"


async def test_one_check_at_a_time(intake):
    await job.ask(intake.app, quick=True, by="root", origin=ROOT)
    with pytest.raises(EditInvalid, match="under way"):
        await job.ask(intake.app, quick=True, by="root", origin=ROOT)


async def test_a_check_is_stopped(intake, monkeypatch):
    async def for_ever(_app, *, quick, progress):
        progress(job.Check(objects=7))
        await asyncio.sleep(60)

    monkeypatch.setattr(job, "check", for_ever)
    monkeypatch.setattr(job, "TOLD_EVERY_S", 0.05)
    await job.ask(intake.app, quick=True, by="root", origin=ROOT)
    assert await job.stop(intake.app)
    async with working(intake.app):
        done = await ended(intake.app)
    assert (done.outcome, done.objects) == ("stopped", 7)
