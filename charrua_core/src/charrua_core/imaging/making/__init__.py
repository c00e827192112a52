"""Files that people bring made into objects of a study: PDF, JPEG, PNG, MP4, and texts by way of LibreOffice.

    about = About(study_attributes, title="Referral", series_number=9)
    made = await asyncio.to_thread(make, path, kind_of(path), about)

Streams stay as they are: a PDF, a JPEG Baseline and an MP4 lie in their object byte for byte.
"""

from __future__ import annotations

from charrua_core.imaging.making.about import About, Made
from charrua_core.imaging.making.kinds import KINDS, OFFICE, Kind, kind_of
from charrua_core.imaging.making.objects import make, make_cda
from charrua_core.imaging.making.office import OfficeMissing, office_program, to_pdf
from charrua_core.imaging.making.picture import needs_decoding, picture_of
from charrua_core.imaging.making.pixels import Picture

__all__ = [
    "KINDS",
    "OFFICE",
    "About",
    "Kind",
    "Made",
    "OfficeMissing",
    "Picture",
    "kind_of",
    "make",
    "make_cda",
    "needs_decoding",
    "office_program",
    "picture_of",
    "to_pdf",
]
