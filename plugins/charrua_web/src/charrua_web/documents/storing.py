"""A document made here, on the way that everything takes that comes over HTTP: judged, stored, audited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.bulk import BulkData
from charrua_core.archive.datasets.compose import compose_dataset
from charrua_core.errors import MetadataInvalid
from charrua_core.types import DicomJson, FileRange
from charrua_web.dicomweb.intake import Intake, Outcome

if TYPE_CHECKING:
    from charrua_core.archive.ingest.ingest import Stored
    from charrua_core.web import Request

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


async def store(request: Request, document: DicomJson) -> Stored:
    """Store a document in the study of the path. Raises what keeps it out, as `Ingest.store` does."""
    intake = Intake(request.app, request.identity.name, request.origin, request.parameters["study"])
    outcome = Outcome(str(document["00080016"]["Value"][0]), str(document["00080018"]["Value"][0]))
    spool = intake.begin(outcome, EXPLICIT_LITTLE)
    try:
        await intake.write(spool, _pieces(compose_dataset(document, _none)))
        await intake.store(spool)
    finally:
        spool_taken = intake.outcomes
        await intake.finish(end="answered" if spool_taken else "broken off")
    made = intake.outcomes[0]
    if made.failure is not None:
        raise made.failure
    assert made.stored is not None  # noqa: S101 -- an outcome is either
    return made.stored


async def _pieces(segments: Sequence[bytes | FileRange]) -> AsyncIterator[memoryview]:
    for segment in segments:
        assert isinstance(segment, bytes)  # noqa: S101 -- a document has no bulk data
        yield memoryview(segment)


def _none(_uri: str, _vr: str) -> BulkData:
    raise MetadataInvalid("the study's attributes have bulk data")
