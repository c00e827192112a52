"""A user who logs in with an association, by C-FIND, C-MOVE and C-GET against a running archive."""

from __future__ import annotations

from contextlib import aclosing
from io import BytesIO

import asyncpg
import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from charrua_core.dicom import UNCOMPRESSED, ProposedContext, associate
from charrua_core.dicom.pdu import UserIdentity
from charrua_core.errors import AssociationRejected
from charrua_core.testing.objects import a_study

FIND, MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"
PASSWORD = "long enough for eva"
EVA = UserIdentity(2, b"eva", PASSWORD.encode(), response_requested=True)


def identifier(level: str, **keys: str) -> bytes:
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return encode(asked, False, True) or b""


def opened(archive, user: UserIdentity):
    contexts = [ProposedContext(uid, UNCOMPRESSED) for uid in (FIND, MOVE)]
    return associate(archive.peer, contexts, calling_aet="ANYBODY", user_identity=user)


@pytest.mark.settings(dicom_user_identity="optional", dicom_tls="encrypt")
async def test_a_user_finds_and_moves_what_the_account_sees(archive, modality, workstation):
    ct, mr = a_study(series=2)
    mr.Modality = "MR"
    await modality.store(ct, mr)
    see = ("--role", "Radiologist", "--password-stdin", "--see", "Modality=MR")
    await archive.run("user", "add", "eva", *see, given=f"{PASSWORD}\n")
    study = {"StudyInstanceUID": ct.StudyInstanceUID}
    async with opened(archive, EVA) as association:
        asked = identifier("SERIES", **study, SeriesInstanceUID="")
        async with aclosing(association.find(FIND, asked)) as responses:
            found = [decode(BytesIO(data), False, True) async for status, data in responses if status == 0xFF00]
        async with aclosing(association.move(MOVE, workstation.aet, identifier("STUDY", **study))) as responses:
            last = [response async for response, _ in responses][-1]
    assert [one.SeriesInstanceUID for one in found] == [mr.SeriesInstanceUID]
    assert (last.status, last.number_of_completed_suboperations) == (0x0000, 1)
    with pytest.raises(AssociationRejected):
        async with opened(archive, UserIdentity(2, b"eva", b"a guess")):
            pass
    assert [(row["event"], row["succeeded"]) for row in await noted(archive, "eva")] == [
        ("110114", True),
        ("110112", True),
        ("110102", True),
        ("110104", True),
        ("110114", False),
    ]


async def noted(archive, who: str) -> list[asyncpg.Record]:
    await archive.stop()
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    rows = await connection.fetch("SELECT * FROM core.audit WHERE who = $1 AND event <> '110113' ORDER BY at", who)
    await connection.close()
    return list(rows)
