"""What a filter lets see of workitems: nothing that it is not proven to admit."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from charrua_core.errors import NotPermitted
from charrua_core.testing.worklist import a_workitem, code
from charrua_core.types import RowFilter
from charrua_ups.rights import sight


def requests(*accession_numbers: str) -> dict[str, Any]:
    items = []
    for number in accession_numbers:
        items.append(Dataset())
        items[-1].AccessionNumber = number
    return {"ReferencedRequestSequence": items}


@pytest.mark.parametrize(
    ("admits", "stated", "sees"),
    [
        ({"PatientID": ("4711",)}, {}, True),
        ({"PatientID": ("0815", "47*")}, {}, True),
        ({"PatientID": ("0815",)}, {}, False),
        ({"PatientID": ("*",)}, {"PatientID": ""}, False),
        ({"PatientName": ("nunez*",)}, {}, True),
        ({"PatientID": ("4711",), "PatientSex": ("F",)}, {}, False),
        ({"Modality": ("CT",)}, {}, False),
        ({"ModalitiesInStudy": ("CT",)}, {"Modality": "CT"}, True),
        ({"Modality": ("CT",)}, {"ScheduledStationClassCodeSequence": code("CT", "DCM")}, True),
        ({"Modality": ("CT",)}, {"ScheduledStationClassCodeSequence": code("CT", "99TEST")}, False),
        ({"Modality": ("CT",)}, {"ScheduledStationClassCodeSequence": code("CT", "DCM"), "Modality": "MR"}, False),
        ({"AccessionNumber": ("A1",)}, requests("A1"), True),
        ({"AccessionNumber": ("A1",)}, requests("A1", "A2"), False),
        ({"AccessionNumber": ("A1",)}, {}, False),
    ],
    ids=str,
)
def test_a_filter_admits_what_states_it(admits: dict[str, tuple[str, ...]], stated: dict[str, Any], sees: bool) -> None:
    item = a_workitem(**stated)
    assert sight([RowFilter(admits)])(item.to_json_dict()) == sees


@pytest.mark.parametrize("keyword", ["StudyDate", "Rows", "NoSuchKeyword"])
def test_a_filter_that_workitems_cannot_be_told_by_shows_nothing(keyword: str) -> None:
    with pytest.raises(NotPermitted, match=keyword):
        sight([RowFilter({keyword: ("*",)})])
