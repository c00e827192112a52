"""Files such as people attach: small, valid, and made here."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)


def a_picture(form: str = "JPEG", *, mode: str = "RGB", size: tuple[int, int] = (65, 48), **options: Any) -> bytes:
    """A picture with its left half dark and its right half light, of an odd width."""
    light = {"RGB": (200, 120, 40), "L": 200, "RGBA": (200, 120, 40, 255), "I;16": 50_000}[mode]
    picture = Image.new(mode, size)
    picture.paste(light, (size[0] // 2, 0, *size))  # type: ignore[arg-type]
    content = io.BytesIO()
    picture.save(content, form, **options)
    return content.getvalue()


def turned(orientation: int) -> Image.Exif:
    """EXIF that says how the camera was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
