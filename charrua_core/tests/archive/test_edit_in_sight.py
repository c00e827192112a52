"""Who may see some series of a study, by a filter on Modality, edits, merges, assigns, deletes and undoes nothing else."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio

from charrua_core.app import App
from charrua_core.archive import remove
from charrua_core.archive.edit import edit
from charrua_core.archive.edit import undo as edit_undo
from charrua_core.archive.edit.record import Record
from charrua_core.archive.edit.series import edit_series, split
from charrua_core.archive.edit.status import set_status
from charrua_core.archive.edit.values import from_keywords
from charrua_core.errors import CharruaError, NotPermitted, StudyNotFound
from charrua_core.testing.objects import a_study
from charrua_core.types import SYSTEM, Identity, Level, RowFilter

MAY = frozenset({"edit", "delete"})
MR = Identity("mr", "user", permissions=MAY, row_filters=(RowFilter({"Modality": ("MR",)}),))
OTHER = edit.Patient("0815", patient_name="Roe^Jane")
OF_STUDY, OF_SERIES, OF_IMAGE = (
    from_keywords(one) for one in ({"StudyID": "2"}, {"SeriesNumber": "2"}, {"InstanceNumber": "2"})
)

Act = Callable[[App, "Studies", Identity], Coroutine[Any, Any, Record]]


class Studies:
    """A study of a CT and an MR series, and one of MR alone, of two patients."""

    def __init__(self) -> None:
        self.ct, self.mr = a_study(series=2, PatientID="MIXED")
        [self.alone] = a_study(PatientID="ALONE")
        self.mr.Modality = self.alone.Modality = "MR"

    @property
    def mixed_uid(self) -> str:
        return str(self.ct.StudyInstanceUID)

    @property
    def both(self) -> list[str]:
        return [str(self.ct.SeriesInstanceUID), str(self.mr.SeriesInstanceUID)]

    @property
    def alone_uid(self) -> str:
        return str(self.alone.StudyInstanceUID)


@pytest_asyncio.fixture
async def studies(intake) -> Studies:
    made = Studies()
    for image in (made.ct, made.mr, made.alone):
        await intake(image)
    return made


def edited(level: Level, uid: str, attributes: edit.Attributes) -> Act:
    return lambda app, s, who: edit.edit(app, who, level, str(uid_at(s, uid)), attributes)


def deleted(level: Level, uid: str) -> Act:
    return lambda app, s, who: remove.delete(app, who, level, str(uid_at(s, uid)))


def uid_at(studies: Studies, path: str) -> Any:
    """The UID at a path such as `ct.SeriesInstanceUID`."""
    found: Any = studies
    for name in path.split("."):
        found = getattr(found, name)
    return found


REFUSED: dict[str, tuple[Act, type[CharruaError]]] = {
    "edit the study": (edited(Level.STUDY, "mixed_uid", OF_STUDY), NotPermitted),
    "edit a hidden series": (edited(Level.SERIES, "ct.SeriesInstanceUID", OF_SERIES), StudyNotFound),
    "edit a hidden image": (edited(Level.IMAGE, "ct.SOPInstanceUID", OF_IMAGE), StudyNotFound),
    "assign the study": (lambda app, s, who: edit.assign_study(app, who, s.mixed_uid, OTHER), NotPermitted),
    "assign a hidden series": (
        lambda app, s, who: edit.assign_series(app, who, str(s.ct.SeriesInstanceUID), s.alone_uid),
        StudyNotFound,
    ),
    "merge the study away": (
        lambda app, s, who: edit.merge_studies(app, who, s.mixed_uid, s.alone_uid),
        NotPermitted,
    ),
    "merge the patient away": (lambda app, _, who: edit.merge_patients(app, who, ("MIXED", ""), OTHER), NotPermitted),
    "edit the patient": (
        lambda app, _, who: edit.edit_patient(app, who, ("MIXED", ""), from_keywords({"PatientSex": "F"})),
        NotPermitted,
    ),
    "set the study's status": (lambda app, s, who: set_status(app, who, s.mixed_uid, "FINAL"), NotPermitted),
    "split off a hidden series": (
        lambda app, s, who: split(app, who, s.mixed_uid, [str(s.ct.SeriesInstanceUID)]),
        StudyNotFound,
    ),
    "delete the study": (deleted(Level.STUDY, "mixed_uid"), NotPermitted),
    "delete a hidden series": (deleted(Level.SERIES, "ct.SeriesInstanceUID"), StudyNotFound),
    "delete a hidden image": (deleted(Level.IMAGE, "ct.SOPInstanceUID"), StudyNotFound),
}
PARTLY: dict[str, Act] = {
    "edit series of which one is hidden": lambda app, s, who: edit_series(app, who, s.mixed_uid, s.both, OF_SERIES),
    "delete series of which one is hidden": lambda app, s, who: remove.delete_parts(app, who, s.mixed_uid, s.both),
    "assign series of which one is hidden": lambda app, s, who: edit.assign_series(app, who, s.both, s.alone_uid),
}
ALLOWED: dict[str, Act] = {
    "edit a study in sight": edited(Level.STUDY, "alone_uid", OF_STUDY),
    "edit a series in sight": edited(Level.SERIES, "mr.SeriesInstanceUID", OF_SERIES),
    "edit an image in sight": edited(Level.IMAGE, "mr.SOPInstanceUID", OF_IMAGE),
    "assign a study in sight": lambda app, s, who: edit.assign_study(app, who, s.alone_uid, OTHER),
    "assign a series in sight": lambda app, s, who: edit.assign_series(
        app, who, str(s.mr.SeriesInstanceUID), s.alone_uid
    ),
    "merge into a study with hidden series": lambda app, s, who: edit.merge_studies(app, who, s.alone_uid, s.mixed_uid),
    "merge a patient in sight": lambda app, _, who: edit.merge_patients(app, who, ("ALONE", ""), OTHER),
    "edit a patient in sight": lambda app, _, who: edit.edit_patient(
        app, who, ("ALONE", ""), from_keywords({"PatientSex": "F"})
    ),
    "set the status of a study in sight": lambda app, s, who: set_status(app, who, s.alone_uid, "FINAL"),
    "split off a series in sight": lambda app, s, who: split(app, who, s.mixed_uid, s.both[1:]),
    "delete a study in sight": deleted(Level.STUDY, "alone_uid"),
    "delete a series in sight": deleted(Level.SERIES, "mr.SeriesInstanceUID"),
    "delete an image in sight": deleted(Level.IMAGE, "mr.SOPInstanceUID"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_touches_hidden_series_is_refused(intake, studies, what):
    act, error = REFUSED[what]
    with pytest.raises(error):
        await act(intake.app, studies, MR)
    assert await intake.rows("edit") == []
    await act(intake.app, studies, SYSTEM)


@pytest.mark.parametrize("what", REFUSED)
async def test_what_others_did_to_hidden_series_is_not_undone(intake, studies, what):
    act, error = REFUSED[what]
    record = await act(intake.app, studies, SYSTEM)
    with pytest.raises(error):
        await edit_undo.undo(intake.app, MR, record.id)


@pytest.mark.parametrize("what", PARTLY)
async def test_series_of_which_one_is_hidden_are_neither_changed_nor_changed_back(intake, studies, what):
    with pytest.raises(StudyNotFound):
        await PARTLY[what](intake.app, studies, MR)
    record = await PARTLY[what](intake.app, studies, SYSTEM)
    with pytest.raises(NotPermitted):
        await edit_undo.undo(intake.app, MR, record.id)


@pytest.mark.parametrize("what", ALLOWED)
async def test_what_touches_nothing_hidden_is_done_and_undone(intake, studies, what):
    record = await ALLOWED[what](intake.app, studies, MR)
    await edit_undo.undo(intake.app, MR, record.id)


async def test_the_history_tells_nothing_of_hidden_series(intake, studies):
    for what in ("edit a hidden series", "edit a hidden image", "edit the study"):
        await REFUSED[what][0](intake.app, studies, SYSTEM)
    mine = await ALLOWED["edit a series in sight"](intake.app, studies, MR)
    told = await edit_undo.history(intake.app, MR, studies.mixed_uid)
    assert [one.targets["level"] for one in told] == ["STUDY", "SERIES"]
    assert told[1].id == mine.id
    assert len(await edit_undo.history(intake.app, SYSTEM, studies.mixed_uid)) == 4


async def test_the_history_of_a_study_out_of_sight_is_not_there(intake, studies):
    ultrasound = Identity("us", "user", row_filters=(RowFilter({"Modality": ("US",)}),))
    with pytest.raises(StudyNotFound):
        await edit_undo.history(intake.app, ultrasound, studies.mixed_uid)
