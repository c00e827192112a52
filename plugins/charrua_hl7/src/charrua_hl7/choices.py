"""What an administrator may choose of HL7 and the worklist."""

from __future__ import annotations

from datetime import timedelta

from charrua_core.settings import Setting

SETTINGS = [
    Setting(
        "hl7_host",
        str,
        "0.0.0.0",  # noqa: S104 -- the hospital's systems are other machines
        help="Address that the HL7 listener binds.",
        since="0.1",
        local=True,
    ),
    Setting(
        "hl7_port",
        int,
        2575,
        minimum=0,
        maximum=65535,
        help="Port of the HL7 listener (MLLP); 0 takes a free one.",
        since="0.1",
    ),
    Setting(
        "hl7_application",
        str,
        "CHARRUA",
        pattern=r"[^|^~\\&\r\n]{1,180}",
        unit="a text of 1 to 180 characters without delimiters of HL7",
        help="Name of this archive in messages that it answers and sends (MSH-3).",
        since="0.1",
        effect="now",
    ),
    Setting(
        "hl7_facility",
        str,
        "",
        pattern=r"[^|^~\\&\r\n]{0,180}",
        unit="a text of up to 180 characters without delimiters of HL7",
        help="Facility of this archive in messages that it answers and sends (MSH-4).",
        since="0.1",
        effect="now",
    ),
    Setting(
        "hl7_retention",
        timedelta,
        timedelta(days=90),
        minimum=0,
        help="How long messages are kept after they were processed. 0 keeps them for ever.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "hl7_study_link",
        str,
        "",
        pattern=r"(https?://[^\s|^~\\&]{1,500})?",
        unit="an address that begins with http:// or https://, with {study} in the place of the Study Instance UID",
        help="Address of a study's page as results have it (OBX of type RP), as https://pacs.example/studies/{study}. "
        "Empty: none.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "hl7_results_of_documents",
        bool,
        False,
        help="Whether a structured report that arrives complete and verified, or a verified PDF, is a final report that the "
        "receivers of results are sent.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "worklist_by_station",
        bool,
        False,
        help="Whether a station that asks for the worklist is told its own entries alone: those whose Scheduled Station AE "
        "Title is its own, or that name none.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "worklist_timeout",
        timedelta,
        timedelta(hours=24),
        minimum=0,
        help="How long after its scheduled start an entry that nobody performs becomes DISCONTINUED. 0 never.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "worklist_default_modality",
        str,
        "CR",
        pattern=r"[A-Z0-9_]{1,16}",
        unit="a code of a modality",
        help="Modality of an entry that is added without one.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "worklist_results",
        int,
        1000,
        minimum=0,
        help="The most entries that one search tells; past it a modality is told an error status (A700H). 0 is no limit.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "worklist_corrects_studies",
        bool,
        True,
        help="Whether a study that arrives for an entry is given the identity that the order has, where it says another.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "mpps_forward_to",
        tuple,
        (),
        unit="AE titles",
        help="Peers that performed procedure steps (MPPS) are forwarded to.",
        since="0.1",
        effect="now",
    ),
]
