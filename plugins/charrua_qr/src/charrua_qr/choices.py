"""What an administrator may choose of queries and retrievals."""

from __future__ import annotations

from charrua_core.settings import Setting

SETTINGS = [
    Setting(
        "retrieve_results",
        int,
        0,
        minimum=0,
        effect="now",
        help="The most objects that one retrieval sends: past it the retrieval ends with an error status (A702H). 0 is no "
        "limit.",
        since="0.1",
    ),
    Setting(
        "retrievals_at_once",
        int,
        8,
        minimum=1,
        help="Retrievals that one process works on at the same time; others wait their turn.",
        since="0.1",
    ),
]
