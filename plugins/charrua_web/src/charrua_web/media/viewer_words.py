"""The words of the light viewer: they are on the medium in the language of who made it."""

from __future__ import annotations

from collections.abc import Mapping

from charrua_core.web import Headers
from charrua_web.rendering.words import N_, language_of, words_of

WORDS = (
    N_("Play"),
    N_("Stop"),
    N_("Invert"),
    N_("Larger"),
    N_("Smaller"),
    N_("Reset"),
    N_("Image"),
    N_("Image {number}"),
    N_("Series"),
    N_("Study"),
    N_("Document"),
    N_("Video"),
    N_("No name"),
    N_("{n} pictures"),
    N_("1 picture"),
    N_("There is no picture of this series on the medium. A DICOM viewer opens its files."),
    N_("Not for diagnosis: these are pictures of the images. The DICOM files are on this medium, in the folder DICOM."),
    N_("One of {every} images is shown here."),
    N_("Wheel or arrows: images · Page up, page down: series · Drag: move · Ctrl and wheel: larger"),
)
"""All that VIEWER.JS shows."""


def viewer_words(headers: Headers) -> tuple[str, Mapping[str, str]]:
    """Give the language that a browser asks for, and the words in it."""
    language = language_of(headers)
    known = words_of(language, ("charrua_web",))
    return language, {english: known.gettext(english) for english in WORDS}
