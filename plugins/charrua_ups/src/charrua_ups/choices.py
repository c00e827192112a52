"""What an administrator may choose of the worklist."""

from __future__ import annotations

from datetime import timedelta

from charrua_core.settings import Setting

SETTINGS = [
    Setting(
        "ups_worklist_label",
        str,
        "WORKLIST",
        pattern=r"[^\\]{1,64}",
        unit="a text of 1 to 64 characters without backslash",
        help="Worklist Label of workitems that are created without one.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "ups_retention",
        timedelta,
        timedelta(days=90),
        minimum=0,
        help="How long workitems are kept after they were completed or cancelled, unless a subscriber's deletion lock holds "
        "them. 0 keeps them for ever.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "ups_results",
        int,
        1000,
        minimum=0,
        help="The most workitems that one search tells: past it a DICOM query ends with an error status (A700H), a web search "
        "gives so many at once. 0 is no limit.",
        since="0.1",
        effect="now",
    ),
]
