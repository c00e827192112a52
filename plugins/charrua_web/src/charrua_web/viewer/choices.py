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
)
