"""An archive in this process whose clock stands still, with rules; objects are stored in it and told to the rules."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from charrua_core import sending
from charrua_core.testing.clock import StandsStill
from charrua_core.testing.devices import received_of
from charrua_core.types import SYSTEM, Origin, StoredObject
from charrua_routing import quiet, rules


@pytest.fixture
async def app(open_archive):
    """The archive."""
    app = await open_archive()
    app.jobs.clock = StandsStill()
    return app


@pytest.fixture
def clock(app):
    """Its clock."""
    return app.jobs.clock


@pytest.fixture
def who():
    """Who may change rules."""
    return rules.Who(SYSTEM, Origin("cli", user="test"))


@pytest.fixture
def add_rule(app, who):
    """A function that adds a rule: `await add_rule(modality="CT", level="study")`; fields of `when` by their names."""

    async def add_rule(name="a rule", destinations=("NEURO",), when=None, **fields):
        document = {"name": name, "destinations": list(destinations), "when": when or {}, **fields}
        return await rules.add(app, who, document)

    return add_rule


@pytest.fixture
def come(app):
    """A function that stores objects and tells the rules of each: `await come(*a_study(images=2), calling="CT1")`."""

    async def come(*images, calling="CT1"):
        told = []
        for image in images:
            sent = received_of(image)
            origin = Origin("dimse", calling_aet=calling, called_aet="CHARRUA")
            spool = app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, origin)
            spool.write(memoryview(sent.data_set))
            stored = await app.ingest.store(spool)
            uids = (stored.study_uid, stored.series_uid, stored.sop_instance_uid)
            kind = (sent.sop_class_uid, sent.transfer_syntax_uid, str(image.Modality), 1, datetime.now(UTC))
            told.append(StoredObject(*uids, *kind, origin))
            await sending.route(app, told[-1], again=False)
        return told

    return come


@pytest.fixture
def sent(app):
    """A function that gives what waits to be sent: destination and objects of each job, in the order in which they go."""

    async def sent():
        jobs = await app.jobs.list(kind="send", state="due", limit=1000)
        jobs.sort(key=lambda job: (-job.priority, job.run_at, job.id))
        return [(job.payload["destination"], [uid for uid, _ in job.payload["objects"]]) for job in jobs]

    return sent


@pytest.fixture
def run_quiet(app):
    """A function that does what a worker does with the jobs that are due of those which wait for quiet."""

    async def run_quiet():
        for job in await app.jobs.list(kind=quiet.KIND, state="due", limit=1000):
            if job.run_at <= app.jobs.clock.now():
                await quiet.quiet_job(app).run(job.payload)
                await app.jobs.remove(job.id)

    return run_quiet
