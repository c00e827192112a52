"""How much an upload may be: the settings, and what no site needs another value of."""

from __future__ import annotations

from datetime import timedelta

from charrua_core.settings import Setting

SETTINGS = (
    Setting(
        "upload_most_bytes",
        int,
        1 << 36,
        minimum=1 << 20,
        maximum=1 << 50,
        unit="bytes",
        help="Bytes that one file or ZIP archive may have that a browser uploads.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "upload_most_files",
        int,
        100_000,
        minimum=1,
        maximum=1_000_000,
        unit="files",
        help="Files that one uploaded ZIP archive may hold.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "upload_most_unfinished",
        int,
        20,
        minimum=1,
        maximum=1000,
        unit="uploads",
        help="Large files and archives that one user may have under way at the same time.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "upload_kept",
        timedelta,
        timedelta(days=1),
        minimum=60,
        maximum=30 * 86400,
        help="How long an upload that was broken off can be taken up again, and what became of a finished one is told.",
        since="0.1",
        effect="now",
    ),
)

MOST_RATIO = 200
"""Bytes that a ZIP archive may become for each of its own, beyond UNPACKED_AT_LEAST: more is made to fill disks."""
UNPACKED_AT_LEAST = 1 << 30
MOST_DEPTH = 3
"""ZIP archives within one another."""
LARGEST_DIRECTORY = 16 << 20
"""Bytes of the directory of a ZIP archive, which is held in memory."""
PIECE = 1 << 20
"""Bytes that are read at once."""
MOST_IN_BATCH = 1000
"""Files of one request."""
MOST_TOLD = 1000
"""Files of one archive that were not stored, of which each is told."""
