"""Files such as people attach: small and valid."""

from __future__ import annotations

from base64 import b64decode

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)
JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4"
    "x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAARCAAw"
    "AEEDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAb/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAAAAX/xA"
    "AUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCMAAABbAJakAAAAiQFRNAAWwCWpAAAAIkBUTQAFsAlqQAAAD//2Q=="
)
"""Baseline, 65 × 48, its left half black and its right half orange."""
PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAEEAAAAwCAIAAADB64B2AAAASUlEQVR42u3PQREAMAjAMIYaJCJxslDBY7fUQC8nlrtd24uM92NgYGBgYGBgYG"
    "BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGD40TAw9gHIjt8p5gAAAABJRU5ErkJggg=="
)
"""The same picture."""
