"""Work that has to be done for certain: kept in the database, done by whichever process is free, tried again, in lanes.

A job is done at least once: a worker may die after the work and before the note of it. So a job's function must not mind
to be called again with the same payload.
"""

from __future__ import annotations

from charrua_core.jobs.kinds import CLOCK, Clock, GiveUp, Job, JobType, Lane, NewJob, PutOff, State
from charrua_core.jobs.queue import CHANNEL, Jobs, settled
from charrua_core.jobs.worker import Worker

__all__ = [
    "CHANNEL",
    "CLOCK",
    "Clock",
    "GiveUp",
    "Job",
    "JobType",
    "Jobs",
    "Lane",
    "NewJob",
    "PutOff",
    "State",
    "Worker",
    "settled",
]
