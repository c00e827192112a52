"""How routes are asked whose path alone does not say it: what the table of recipes is written in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydicom.dataset import Dataset

from charrua_core.testing.access import Ask, Recipe, Target
from charrua_core.testing.objects import an_object, part10
from charrua_core.testing.worklist import WORKLIST, a_workitem, code

JSON = {"Content-Type": "application/json"}


# -- about what is stored -----------------------------------------------------------------------------------------------
def frames(_target: Target) -> Sequence[Ask]:
    return [Ask(values={"frames": "1"})]


def store(target: Target) -> Sequence[Ask]:
    image = an_object(StudyInstanceUID=target.study, PatientID=target.patient_id)
    headers = {"Content-Type": "application/dicom"}
    return [Ask(headers=headers, body=part10(image), blind=True, changes=True, good=frozenset({200, 202}))]


def upload(target: Target) -> Sequence[Ask]:
    image = part10(an_object(StudyInstanceUID=target.study, PatientID=target.patient_id))
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    body = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + image + b"\r\n--B--\r\n"
    return [Ask(headers=headers, body=body, blind=True, changes=True)]


def search(target: Target) -> Sequence[Ask]:
    """By what names the target, and for everything there is."""
    keys = [("PatientID", target.patient_id)], [("StudyInstanceUID", target.study)]
    every = [], [("includefield", "all")], [("limit", "1")], [("PatientName", "*"), ("fuzzymatching", "true")]
    return [
        *(
            Ask(query=[*key, ("includefield", "all")], names=frozenset({"study"}), hidden=frozenset({200}))
            for key in keys
        ),
        *(Ask(query=query, general=True) for query in every),
    ]


def list_studies(target: Target) -> Sequence[Ask]:
    """By what names the target, and for everything there is; what is hidden is not among the rows."""
    keys = (
        [("PatientID", target.patient_id)],
        [("StudyInstanceUID", target.study)],
        [("SeriesInstanceUID", target.series)],
    )
    every = [], [("order", "patient")], [("order", "-images"), ("limit", "1")], [("PatientName", "name")]
    return [Ask(query=query, general=True) for query in (*keys, *every)]


def preference(*good: int, **more: bytes) -> Recipe:
    """A call about what the caller has chosen."""
    return lambda _target: [Ask(values={"name": "matrix"}, general=True, good=frozenset(good), headers=JSON, **more)]


def search_within(_target: Target) -> Sequence[Ask]:
    return [Ask(query=[("includefield", "all")], hidden=frozenset({200, 404}))]


def together(target: Target) -> Sequence[Ask]:
    """Studies are named by the query."""
    return [Ask(query=[("study", target.study)], names=frozenset({"study"}))]


def wado_uri(target: Target) -> Sequence[Ask]:
    named = [("requestType", "WADO"), ("studyUID", target.study), ("seriesUID", target.series)]
    query = [*named, ("objectUID", target.instance)]
    names = frozenset({"study", "series", "instance"})
    return [Ask(query=query, names=names), Ask(query=[*query, ("contentType", "application/dicom")], names=names)]


def delete(_target: Target) -> Sequence[Ask]:
    return [Ask(changes=True, good=frozenset({204}))]


def delete_study(_target: Target) -> Sequence[Ask]:
    """Who does not see all of a study deletes nothing of it."""
    return [Ask(changes=True, whole=True, good=frozenset({204}), hidden=frozenset({403, 404}))]


def bulk_data(_target: Target) -> Sequence[Ask]:
    return [Ask(values={"path": "7FE00010"})]


def measure(target: Target) -> Sequence[Ask]:
    """On the target's image."""
    one = {"id": "1.2.3", "kind": "probe", "instance": target.instance, "points": [[1, 1]]}
    body = json.dumps({"measurements": [one]}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"instance"}), changes=True, good=frozenset({201}))]


def select(target: Target) -> Sequence[Ask]:
    """The target's image as a key image."""
    body = json.dumps({"images": [{"instance": target.instance}]}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"instance"}), changes=True, good=frozenset({201}))]


def no_selection(_target: Target) -> Sequence[Ask]:
    """An image is none."""
    return [Ask(blind=True, good=frozenset({404}))]


def said(*good: int, **fields: str) -> Recipe:
    """A call that is about nothing in the archive, with a JSON body."""
    body = {"headers": {"Content-Type": "application/json"}, "body": json.dumps(fields).encode()} if fields else {}
    return lambda _target: [Ask(general=True, good=frozenset(good), **body)]


def numbered(*good: int, body: Mapping[str, object] | None = None, **values: str) -> Recipe:
    """A call about something that has a number, and is about nothing in the archive."""
    kept = {"headers": JSON, "body": json.dumps(body).encode()} if body is not None else {}
    return lambda _target: [Ask(values=values, general=True, good=frozenset(good), **kept)]


def of_all_studies(_target: Target) -> Sequence[Ask]:
    """What tells of all studies is for nobody who sees a part of them."""
    return [Ask(general=True, good=frozenset({200, 403}))]


def explain(target: Target) -> Sequence[Ask]:
    """An object is named alone; of a crossed target there is none."""
    uid = target.study if target.name == "crossed" else target.instance
    body = json.dumps({"sop_instance_uid": uid}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"instance"}))]


def send_study(target: Target) -> Sequence[Ask]:
    """Whose study it is must be said; who does not see it is not told that the name is wrong."""
    body = {"AET": "NOWHERE", "StudyInstanceUID": target.study, "PatientName": "Nobody"}
    return [Ask(headers=JSON, body=json.dumps(body).encode(), names=frozenset({"study"}), good=frozenset({400}))]


# -- actions on studies -------------------------------------------------------------------------------------------------
def act(**body: object) -> Recipe:
    """A call on the whole study of the path, with a JSON body, whose answer to who sees it is 200."""
    encoded_body = json.dumps(body).encode()
    kept = {"headers": JSON, "body": encoded_body, "whole": True, "hidden": frozenset({403, 404})}
    return lambda _target: [Ask(changes=True, **kept)]


def set_status(target: Target) -> Sequence[Ask]:
    """It takes one of two permissions, which the route does not name."""
    kept = {"headers": JSON, "body": b'{"status": "FINAL"}', "whole": True}
    return [Ask(changes=True, good=frozenset({200, 403}), hidden=frozenset({403, 404}), **kept)]


def assign_parts(target: Target) -> Sequence[Ask]:
    """A series becomes a study of its own."""
    body = json.dumps({"series": [target.series]}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"series"}), changes=True)]


def delete_parts(target: Target) -> Sequence[Ask]:
    body = json.dumps({"series": [target.series]}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"series"}), changes=True)]


def by_hand(field: str, **more: object) -> Recipe:
    """A call of the manual, in which the study is named, and the patient wrongly."""

    def recipe(target: Target) -> Sequence[Ask]:
        body = json.dumps({field: target.study, **more}).encode()
        return [Ask(headers=JSON, body=body, names=frozenset({"study"}), good=frozenset({400}))]

    return recipe


def update_study(target: Target) -> Sequence[Ask]:
    body = json.dumps({"StudyInstanceUID": target.study, "Description": "Neck"}).encode()
    kept = {"names": frozenset({"study"}), "whole": True, "hidden": frozenset({403, 404})}
    return [Ask(headers=JSON, body=body, changes=True, **kept)]


def send_several(target: Target) -> Sequence[Ask]:
    body = json.dumps({"studies": [target.study], "destinations": ["NOWHERE"]}).encode()
    return [Ask(headers=JSON, body=body, general=True, good=frozenset({400}))]


def attach(_target: Target) -> Sequence[Ask]:
    headers = {"Content-Type": "application/octet-stream"}
    return [Ask(headers=headers, body=b"\x00 no file that can be attached", good=frozenset({415}))]


# -- workitems: that of a series has the UID of the series --------------------------------------------------------------
DICOM_JSON = {"Content-Type": "application/dicom+json"}
MINE = "1.2.840.99.2"


def encoded(dataset: Dataset) -> bytes:
    return json.dumps([dataset.to_json_dict()]).encode()


def workitem_of(target: Target) -> bytes:
    return encoded(
        a_workitem(
            SOPInstanceUID=target.series,
            PatientID=target.patient_id,
            ProcedureStepLabel=f"Step of {target.patient_id}",
            ScheduledStationClassCodeSequence=code(target.modality, "DCM"),
        )
    )


def item(good: int, body: Dataset | None = None, **details) -> Recipe:
    """A call about a workitem; of a crossed target there is none."""

    def recipe(target: Target) -> Sequence[Ask]:
        values = {"workitem": target.study if target.name == "crossed" else target.series, "aet": "MATRIX"}
        values["requester"] = "MATRIX"
        kept = {"headers": DICOM_JSON, "body": encoded(body)} if body is not None else {}
        return [Ask(values=values, names=frozenset({"series"}), good=frozenset({good}), **kept, **details)]

    return recipe


def create_item(_target: Target) -> Sequence[Ask]:
    """With a row filter nobody creates what is out of the own sight."""
    return [Ask(general=True, headers=DICOM_JSON, body=encoded(a_workitem()), good=frozenset({201, 403}))]


def search_items(target: Target) -> Sequence[Ask]:
    one = Ask(query=[("PatientID", target.patient_id)], names=frozenset({"study"}), hidden=frozenset({200, 204}))
    return [one, *(Ask(query=query, general=True) for query in ([], [("includefield", "all")], [("limit", "1")]))]


def watch(*good: int) -> Recipe:
    """A call about the subscription to a workitem, and about that to the whole worklist."""
    worklist = Ask(values={"workitem": WORKLIST, "aet": "MATRIX"}, general=True, good=frozenset(good))
    return lambda target: [replace(item(0)(target)[0], good=frozenset(good)), worklist]


def suspend(_target: Target) -> Sequence[Ask]:
    return [Ask(values={"workitem": WORKLIST, "aet": "MATRIX"}, general=True, good=frozenset({200, 404}))]


claim = Dataset()
claim.ProcedureStepState, claim.TransactionUID = "IN PROGRESS", MINE
label = Dataset()
label.WorklistLabel = "NIGHT"


def share_study(target: Target) -> Sequence[Ask]:
    body = json.dumps({"studies": [target.study]}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"study"}), good=frozenset({201}))]


def create_link(target: Target) -> Sequence[Ask]:
    """A study is named by its Accession Number: of a crossed target that is its study's."""
    query = [("AccessionNumber", target.patient_id.replace("ID-", "ACC"))]
    return [Ask(query=query, names=frozenset({"study"}))]


# -- the worklist: stories of its own tell who sees which entry ---------------------------------------------------------
def not_the_entrys(_target: Target) -> Sequence[Ask]:
    return [Ask(values={"entry": "1"}, blind=True, good=frozenset({404}))]


def list_steps(target: Target) -> Sequence[Ask]:
    queries = [], [("search", target.patient_id)], [("entry", "none"), ("state", "COMPLETED")]
    return [Ask(query=query, general=True) for query in queries]


def assign_page(target: Target) -> Sequence[Ask]:
    return [Ask(query=[("study", target.study)], names=frozenset({"study"}))]
