"""What each status means here, for the conformance statement (PS3.4 tables CC.2.1-2 to CC.2.8-2)."""

from __future__ import annotations

from charrua_core.dicom.finding import find_statuses

_ALWAYS = {
    0x0000: "done",
    0x0110: "processing failure",
    0x0118: "no SOP class of the Unified Procedure Step",
    0x0124: "the AE may not do this here",
    0xA700: "the data set is too large, or the database is away",
    0xC000: "the data set cannot be read",
}
CREATE_STATUSES = {
    **_ALWAYS,
    0x0106: "an attribute has a value that it may not have, or must be empty",
    0x0111: "a workitem of this UID exists",
    0x0120: "an attribute that N-CREATE asks for is missing",
    0x0121: "an attribute that N-CREATE asks a value of has none",
    0xB300: "created with the default Worklist Label",
    0xC309: "the state given was not SCHEDULED",
}
GET_STATUSES = {
    **_ALWAYS,
    0x0001: "some attribute that was asked for is not there",
    0xC307: "no such workitem",
}
SET_STATUSES = {
    **_ALWAYS,
    0x0106: "an attribute has a value that it may not have, or is not to be set",
    0x0121: "an attribute may not be emptied",
    0xC300: "the workitem may no longer be updated",
    0xC301: "not the right Transaction UID",
    0xC307: "no such workitem",
    0xC310: "a Transaction UID, and the workitem is not IN PROGRESS",
}
ACTION_STATUSES = {
    **_ALWAYS,
    0x0115: "an argument is missing or invalid",
    0x0123: "the SOP class has no such action",
    0xB304: "the workitem is already CANCELED",
    0xB306: "the workitem is already COMPLETED",
    0xC300: "the workitem may no longer be updated",
    0xC301: "not the right Transaction UID",
    0xC302: "the workitem is already IN PROGRESS",
    0xC303: "a workitem becomes SCHEDULED by its creation only",
    0xC304: "the final state asks for more",
    0xC307: "no such workitem",
    0xC308: "the Receiving AE is no known peer",
    0xC310: "the workitem is not yet IN PROGRESS",
    0xC311: "the workitem is already COMPLETED",
    0xC312: "nobody is subscribed to the workitem that is to be cancelled",
    0xC314: "the action is not for this instance",
}
FIND_STATUSES = {**find_statuses("ups_results"), 0x0106: "nobody may ask by Transaction UID"}
