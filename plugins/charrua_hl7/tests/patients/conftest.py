"""What the tests of patients have in common: an archive with a worklist and studies, and messages that come in."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select

from charrua_core.archive.index.levels import tag_of
from charrua_core.jobs import settled
from charrua_core.services.core import follower_names, followers
from charrua_core.services.service import run_services
from charrua_core.tables import study
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import an_object
from charrua_core.types import Identity, Origin
from charrua_hl7.message import NULL, Message
from charrua_hl7.patients import patient_jobs
from charrua_hl7.patients.undoing import undo_change
from charrua_hl7.processing import Outcome, Received, handlers
from charrua_hl7.tables import entry, message
from charrua_hl7.worklist.entries import STEP, put, value

HIS = Identity("HL7 HIS", "system", permissions=frozenset({"*"}))
CONSOLE = Origin("hl7", address="127.0.0.1")


class Hospital:
    """An archive, and what happens around it."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._orders = 0

    async def order(self, patient_id: str, issuer: str = "HOSP", name: str = "Doe^Jane", **attributes: Any) -> int:
        """Put an entry on the worklist; gives its number."""
        self._orders += 1
        told = {"PatientID": ("LO", patient_id), "IssuerOfPatientID": ("LO", issuer), "PatientSex": ("CS", "F")}
        told |= {keyword: ("LO", text) for keyword, text in attributes.items()}
        data = {tag_of(keyword): {"vr": vr, "Value": [text]} for keyword, (vr, text) in told.items() if text}
        data[tag_of("PatientName")] = {"vr": "PN", "Value": [{"Alphabetic": name}]}
        data[STEP] = {"vr": "SQ", "Value": [{tag_of("ScheduledProcedureStepID"): {"vr": "SH", "Value": ["1"]}}]}
        async with self.app.db.transaction() as tx:
            return (await put(self.app, tx, data, order_key=f"order {self._orders}", source="hl7")).id

    async def image(self, patient_id: str, issuer: str = "", name: str = "Doe^Jane", **attributes: Any) -> str:
        """Store an image of a new study; gives its Study Instance UID."""
        image = an_object(PatientID=patient_id, IssuerOfPatientID=issuer or None, PatientName=name, **attributes)
        sent, origin = received_of(image), Origin("dimse", "CT1", "CHARRUA", "127.0.0.1", "1")
        spool = self.app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, origin)
        spool.write(memoryview(sent.data_set))
        await self.app.ingest.store(spool)
        return str(image.StudyInstanceUID)

    async def hears(self, *segments: str, event: str = "ADT^A08", content: bytes = b"") -> Outcome:
        """Let a message come in, as the listener does; its jobs wait."""
        head = f"MSH|^~\\&|HIS|HOSP|CHARRUA||20260501||{event}|1|P|2.5"
        content = content or "\r".join([head, *segments]).encode()
        read = Message.parse(content)
        doing = handlers().get(read.type) or handlers()[read.text("MSH-9.1")]
        async with self.app.db.transaction() as tx:
            row = {"content": content, "digest": b"", "message_type": read.type, "state": "done"}
            number = (await tx.execute(insert(message).values(row).returning(message.c.id))).scalar_one()
            return await doing(self.app, tx, Received(number, read, datetime.now(UTC), CONSOLE, HIS))

    async def works(self) -> None:
        """Let the followers and the jobs do all that there is to do."""
        jobs = asyncio.create_task(self.app.jobs.run(patient_jobs(self.app)))
        try:
            async with run_services(followers(self.app)):
                assert await settled(self.app.db, follower_names(self.app), 20)
        finally:
            jobs.cancel()

    async def entry(self, number: int) -> tuple[str, str, str]:
        """Give ID, issuer and name of an entry."""
        async with self.app.db.reading() as connection:
            row = (await connection.execute(select(entry).where(entry.c.id == number))).one()
        return row.patient_id, row.issuer, value(row.attributes, tag_of("PatientName"))

    async def study(self, uid: str) -> tuple[str, str, str]:
        """Give ID, issuer and name of a study."""
        async with self.app.db.reading() as connection:
            columns = (study.c.patient_id, study.c.issuer, study.c.patient_name)
            return tuple((await connection.execute(select(*columns).where(study.c.study_uid == uid))).one())

    async def undoes(self, change: Any) -> None:
        """Take a change back, as the HIS's own people do."""
        await undo_change(self.app, HIS, change.id, CONSOLE)
        await self.works()


@pytest.fixture
async def hospital(open_archive: Any) -> Hospital:
    """A hospital with an archive."""
    return Hospital(await open_archive())


async def _patient_of(app, tx, message):
    told = {}
    for path, keyword, vr in (
        ("PID-3.1", "PatientID", "LO"),
        ("PID-3.4", "IssuerOfPatientID", "LO"),
        ("PID-5", "PatientName", "PN"),
        ("PID-7", "PatientBirthDate", "DA"),
        ("PID-8", "PatientSex", "CS"),
    ):
        text = message.text(path)
        if vr == "PN" and text:
            text = "^".join(message.text(f"PID-5.{number}") for number in (1, 2, 3)).rstrip("^")
        if text == NULL:
            told[tag_of(keyword)] = {"vr": vr}
        elif text:
            told[tag_of(keyword)] = {"vr": vr, "Value": [{"Alphabetic": text} if vr == "PN" else text]}
    return told


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch):
    monkeypatch.setattr("charrua_hl7.patients.said.patient_of", _patient_of)
