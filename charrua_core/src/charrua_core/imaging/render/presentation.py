"""Softcopy Presentation States laid over an image: grayscale, colour and pseudo-colour (PS3.3 A.33, C.11.10 ff.)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from charrua_core.errors import RenderingInvalid
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.render.request import Box
from charrua_core.imaging.tags import tags

PSEUDO_COLOR = "1.2.840.10008.5.1.4.1.1.11.3"
STATES = {
    "1.2.840.10008.5.1.4.1.1.11.1": "Grayscale Softcopy Presentation State",
    "1.2.840.10008.5.1.4.1.1.11.2": "Color Softcopy Presentation State",
    PSEUDO_COLOR: "Pseudo-Color Softcopy Presentation State",
}


_VOI = tags("VOILUTSequence WindowCenter WindowWidth VOILUTFunction")
_OWN = tags("""
    ModalityLUTSequence RescaleSlope RescaleIntercept PresentationLUTSequence PresentationLUTShape ICCProfile
    ShutterShape ShutterLeftVerticalEdge ShutterRightVerticalEdge ShutterUpperHorizontalEdge ShutterLowerHorizontalEdge
    CenterOfCircularShutter RadiusOfCircularShutter VerticesOfThePolygonalShutter ShutterPresentationValue ShutterOverlayGroup
""")
"""What a state says instead of the image, also by saying nothing."""
_NEUTRAL = 0x8080  # a* and b* of grey in 16 bits (PS3.3 C.10.7.1.1)
_GREYISH = 0x200


@dataclass(frozen=True, slots=True)
class Presentation:
    """A state as it applies to one frame."""

    state: Attributes
    sop_instance_uid: str
    frame: int

    def over(self, image: Attributes) -> Attributes:
        """Give the image's attributes with those of the state in their place. Raises RenderingInvalid where it is not
        about the image.
        """
        if not self._is_about_image():
            raise RenderingInvalid("the presentation state is about other images")
        kept = {tag: one for tag, one in image.elements.items() if tag not in _OWN | _VOI}
        kept |= {tag: one for tag, one in self.state.elements.items() if tag in _OWN}
        for item in self._items("SoftcopyVOILUTSequence"):
            kept |= {tag: one for tag, one in item.elements.items() if tag in _VOI}
        return Attributes(kept)

    @property
    def pseudo_color(self) -> bool:
        """Whether grey levels are given colours."""
        return self.state.text("SOPClassUID") == PSEUDO_COLOR

    @property
    def quarter_turns(self) -> int:
        """Turns clockwise by 90 degrees."""
        return self.state.integer("ImageRotation") // 90 % 4

    @property
    def flip(self) -> bool:
        """Whether left and right change places, after the turns (PS3.3 C.10.6)."""
        return self.state.text("ImageHorizontalFlip") == "Y"

    def displayed_area(self) -> tuple[Box | None, float | None, float]:
        """Give the part of the image, the height of a pixel by its width if told, and a fixed magnification or 1."""
        for item in self._items("DisplayedAreaSelectionSequence"):
            corners = item.numbers("DisplayedAreaTopLeftHandCorner"), item.numbers("DisplayedAreaBottomRightHandCorner")
            spacing = item.numbers("PresentationPixelSpacing") or item.numbers("PresentationPixelAspectRatio")
            aspect = spacing[0] / spacing[1] if len(spacing) == 2 and min(spacing) > 0 else None
            fixed = item.text("PresentationSizeMode") == "MAGNIFY"
            magnification = item.number("PresentationPixelMagnificationRatio") if fixed else None
            return _box(*corners), aspect, magnification if magnification and magnification > 0 else 1.0
        return None, None, 1.0

    def annotations(self) -> list[Attributes]:
        """Give the items of the Graphic Annotation Sequence for this frame, those of lower layers first."""
        orders = {layer.text("GraphicLayer"): layer.integer("GraphicLayerOrder") for layer in self.layers()}
        return sorted(
            self._items("GraphicAnnotationSequence"), key=lambda item: orders.get(item.text("GraphicLayer"), 0)
        )

    def layers(self) -> list[Attributes]:
        """Give the items of the Graphic Layer Sequence."""
        return self.state.items("GraphicLayerSequence")

    def layer(self, name: str) -> Attributes:
        """Give the layer of this name, one without attributes where there is none."""
        found = (layer for layer in self.layers() if layer.text("GraphicLayer") == name)
        return next(found, Attributes({}))

    @property
    def draws_in_colour(self) -> bool:
        """Whether a layer with annotations for the frame recommends a colour that is no grey."""
        names = {annotation.text("GraphicLayer") for annotation in self._items("GraphicAnnotationSequence")}
        colours = [self.layer(name).numbers("GraphicLayerRecommendedDisplayCIELabValue") for name in names]
        return any(abs(part - _NEUTRAL) > _GREYISH for colour in colours for part in colour[1:3])

    def overlay_layer(self, group: int) -> str:
        """Give the layer in which an overlay group is shown, its own or the image's; empty if it is not (PS3.3 C.11.7)."""
        return self.state.text(f"{group:04X}1001")

    def _items(self, sequence: str) -> Iterator[Attributes]:
        """The items that are about this frame."""
        return (item for item in self.state.items(sequence) if self._is_about(item))

    def _is_about(self, item: Attributes) -> bool:
        references = item.items("ReferencedImageSequence")
        return not references or any(map(self._names_frame, references))

    def _names_frame(self, reference: Attributes) -> bool:
        frames = reference.values("ReferencedFrameNumber")
        same = reference.text("ReferencedSOPInstanceUID") == self.sop_instance_uid
        return same and (not frames or self.frame in frames)

    def _is_about_image(self) -> bool:
        series = self.state.items("ReferencedSeriesSequence")
        return any(map(self._names_frame, (image for one in series for image in one.items("ReferencedImageSequence"))))


def _box(first: list[float], last: list[float]) -> Box | None:
    """Corner pixels count from 1 and lie within; which is upper left depends on how the image is turned."""
    if len(first) != 2 or len(last) != 2:
        return None
    (left, right), (top, bottom) = sorted((first[0], last[0])), sorted((first[1], last[1]))
    return int(left) - 1, int(top) - 1, int(right), int(bottom)
