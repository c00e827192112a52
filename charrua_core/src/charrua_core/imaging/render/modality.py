"""From stored values to those that windows are told in: Modality LUT or rescale (PS3.3 C.11.1)."""

from __future__ import annotations

from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.render.luts import Mapping, Values, lut_of

# PS3.3 C.8.7.1.1.2: there the Modality LUT leads back to X-ray intensity, which is not what is looked at.
_ALREADY_FOR_DISPLAY = frozenset({"LOG", "DISP"})
_X_RAY = frozenset({"XA", "RF"})


def modality_of(attributes: Attributes, signed: bool) -> Mapping:
    """Give the function of stored values; the identity where the object has none."""
    if _is_for_display(attributes):
        return _identity
    lut = lut_of(attributes.item("ModalityLUTSequence"), signed)
    if lut is not None:
        return lut
    slope, intercept = attributes.number("RescaleSlope"), attributes.number("RescaleIntercept")
    slope, intercept = 1.0 if slope in (None, 0) else float(slope or 1), float(intercept or 0)
    if (slope, intercept) == (1.0, 0.0):
        return _identity
    return lambda values: values * slope + intercept


def _is_for_display(attributes: Attributes) -> bool:
    modality, relationship = attributes.text("Modality"), attributes.text("PixelIntensityRelationship")
    return modality in _X_RAY and relationship in _ALREADY_FOR_DISPLAY


def _identity(values: Values) -> Values:
    return values
