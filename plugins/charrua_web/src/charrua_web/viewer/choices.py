"""The settings of the viewer."""

from __future__ import annotations

from charrua_core.settings import Setting

SETTINGS = (
    Setting(
        "viewer_images",
        str,
        "lossless",
        choices=("lossless", "lossy"),
        help="How the viewer opens: lossless images, or lossy JPEG pictures, which load faster and on which nothing is "
        "measured. Who looks can switch.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "display_sr",
        str,
        "page",
        choices=("page", "pdf", "link"),
        help="How the viewer shows structured reports: as a page among the images, as PDF in a new tab when their series is "
        "chosen, or by links to their PDF at the thumbnails.",
        since="0.1",
        effect="now",
    ),
)
