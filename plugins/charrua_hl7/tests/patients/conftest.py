"""What the tests of patients have in common: an archive with a worklist and studies, and messages that come in."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from pydicom import dcmread
from sqlalchemy import select

from charrua_core.archive.index.levels import tag_of
from charrua_core.jobs import JobType, settled
from charrua_core.services.core import follower_names, followers
from charrua_core.services.service import run_services
from charrua_core.tables import instance, series, study
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import an_object
from charrua_core.types import Identity, Origin
from charrua_hl7.intake.arrival import Arrival
from charrua_hl7.intake.keeping import keep
from charrua_hl7.patients.undoing import undo_change
from charrua_hl7.tables import entry
from charrua_hl7.worklist.entries import STEP, put, value
from charrua_web.server import WebServer

PASSWORD = "an unlikely password"
HIS = Identity("HL7 HIS", "system", permissions=frozenset({"*"}))
CONSOLE = Origin("hl7", address="127.0.0.1")


class Hospital:
    """An archive, and what happens around it."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._orders = self._messages = 0

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

    async def hears(self, *segments: str, event: str = "ADT^A08", content: bytes = b"") -> Arrival:
        """Let a message come in, as the listener does; its jobs wait. Raises what it is refused with."""
        self._messages += 1
        head = f"MSH|^~\\&|HIS|HOSP|CHARRUA||20260501||{event}|{self._messages}|P|2.5"
        one = await Arrival.read(content or "\r".join([head, *segments]).encode(), "127.0.0.1")
        await keep(self.app, [one])
        if one.refused is not None:
            raise one.refused
        return one

    async def works(self) -> None:
        """Let the followers and the jobs do all that there is to do."""
        jobs = asyncio.create_task(self.app.jobs.run(self.app.hooks.gather_of(JobType, "job_types", app=self.app)))
        try:
            async with run_services(followers(self.app)):
                assert await settled(self.app.db, follower_names(self.app), 20)
        finally:
            jobs.cancel()

    async def objects(self, uid: str) -> list[Any]:
        """Give the documents in a study, as they are read from their files."""
        statement = select(instance.c.path).join(series, series.c.id == instance.c.series_id)
        statement = statement.join(study, study.c.id == series.c.study_id).where(study.c.study_uid == uid)
        async with self.app.db.reading() as connection:
            paths = list(await connection.scalars(statement.order_by(instance.c.id)))
        read = [dcmread(self.app.volumes.current.root / path, force=True) for path in paths]
        return [one for one in read if "EncapsulatedDocument" in one]

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


class Served:
    """The pages of a hospital's archive."""

    def __init__(self, app: Any, url: str) -> None:
        self.app, self.url = app, url
        self._users = 0

    async def user(self, role: str = "Admin", row_filter: dict[str, list[str]] | None = None) -> str:
        """Add a user."""
        self._users += 1
        await self.app.accounts.add(f"user{self._users}", role, PASSWORD, by="test", row_filter=row_filter)
        return f"user{self._users}"

    async def client(self, role: str = "Admin", row_filter: dict[str, list[str]] | None = None) -> httpx.AsyncClient:
        """Give a client that is logged in; close it."""
        token = await self.app.accounts.create_token(await self.user(role, row_filter), by="test")
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.fixture
async def served(hospital: Hospital) -> Any:
    """The hospital's archive over HTTP."""
    server = WebServer(hospital.app)
    yield Served(hospital.app, (await server.start()).split()[1])
    await server.stop()
