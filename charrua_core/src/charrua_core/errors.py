"""The one family of errors. The class says what happened; the docstring is the sentence for a human.

Each class carries the statuses that its edge answers with: `dimse_status` (PS3.7 annex C) and `http_status`.
"""

from __future__ import annotations


class CharruaError(Exception):
    """Something went wrong in the archive."""

    dimse_status: int = 0x0110  # Processing failure
    http_status: int = 500

    def __str__(self) -> str:
        """The message given, or the sentence of the class."""
        return super().__str__() or (type(self).__doc__ or type(self).__name__)


class SettingInvalid(CharruaError):
    """A setting has a value that it cannot take."""

    http_status = 400


class PluginFailed(CharruaError):
    """A plugin cannot be loaded, or one of its hooks failed."""


class SchemaTooNew(CharruaError):
    """The database was written by a newer release than this one."""


class StorageFull(CharruaError):
    """The volume has no room left above its reserve."""

    dimse_status = 0xA700  # Refused: out of resources (PS3.4 B.2.3)
    http_status = 507


class StorageFailed(CharruaError):
    """The volume did not take or give the bytes."""

    dimse_status = 0xA700
    http_status = 500


class HeaderDamaged(CharruaError):
    """The data set cannot be read to its end, or lacks what identifies it."""

    dimse_status = 0xC000  # Error: cannot understand (PS3.4 B.2.3)
    http_status = 400


class MetadataInvalid(CharruaError):
    """The JSON or XML is no data set of the DICOM JSON Model or of the Native DICOM Model."""

    dimse_status = 0xC000  # Error: cannot understand
    http_status = 400


class DatasetMismatch(CharruaError):
    """The data set says another SOP Class or SOP Instance than the command, or an invalid UID."""

    dimse_status = 0xA900  # Error: data set does not match SOP Class (PS3.4 B.2.3)
    http_status = 400


class ObjectRefused(CharruaError):
    """A rule of this archive does not admit the object."""

    dimse_status = 0x0124  # Refused: not authorised
    http_status = 403

    def __init__(self, reason: str, dimse_status: int | None = None, http_status: int | None = None) -> None:
        super().__init__(reason)
        if dimse_status is not None:
            self.dimse_status = dimse_status
        if http_status is not None:
            self.http_status = http_status


class QueryInvalid(CharruaError):
    """The query's identifier breaks a rule of PS3.4 C.4.1."""

    dimse_status = 0xA900
    http_status = 400


class TooManyResults(CharruaError):
    """The query or retrieval goes past the limit of this archive; ask for less."""

    dimse_status = 0xA700
    http_status = 413


class NotPermitted(CharruaError):
    """The caller may not do this."""

    dimse_status = 0x0124
    http_status = 403
    retry_after_s: float | None = None
    """Where it is a matter of waiting: how long."""


class StudyNotFound(CharruaError):
    """No such study, series or object, or not one that the caller may see."""

    dimse_status = 0xA900
    http_status = 404


class ShareNotFound(CharruaError):
    """This link does not work: it has ended, or was never made. Ask who sent it for a new one."""

    http_status = 404


class ShareInvalid(CharruaError):
    """A link cannot be made as it was asked for."""

    http_status = 400


class PeerUnknown(CharruaError):
    """No peer of this AE title is known here."""

    dimse_status = 0xA801  # Refused: move destination unknown (PS3.4 C.4.2.1.5)
    http_status = 404


class DestinationUnknown(PeerUnknown):
    """No peer and no other destination of this name is known here."""


class PeerUnreachable(CharruaError):
    """The peer cannot be reached."""

    http_status = 502


class AssociationRejected(CharruaError):
    """The peer rejected the association."""

    http_status = 502


class AssociationAborted(CharruaError):
    """The association ended before its operation did."""

    http_status = 502


class DimseTimeout(CharruaError):
    """The peer did not answer in time."""

    http_status = 504


class EditInvalid(CharruaError):
    """The edit cannot be made."""

    http_status = 409


class UserNotFound(EditInvalid):
    """There is no such user."""

    http_status = 404


class DatabaseUnavailable(CharruaError):
    """The database cannot be reached or started, or may not be used as it is set up."""

    dimse_status = 0xA700
    http_status = 503


class CommitUnknown(CharruaError):
    """The database was lost while it committed: whether the object was stored is not known, so send it again."""

    http_status = 503


class NotDeidentifiable(CharruaError):
    """The object cannot be de-identified by its attributes alone."""

    http_status = 409


class DocumentUnreadable(CharruaError):
    """The content of the document or waveform does not hold together."""

    dimse_status = 0xC000  # Error: cannot understand
    http_status = 422


class DocumentTooLarge(CharruaError):
    """The document or waveform is larger than this archive shows; retrieve the object itself."""

    http_status = 413


class NotRenderable(CharruaError):
    """No page can be made of this object in the media type asked for."""

    http_status = 406


class ImageInvalid(CharruaError):
    """The object is no image, or what it says of its pixels does not hold together."""

    http_status = 422


class FrameUndecodable(CharruaError):
    """The frame's bytes cannot be decoded."""

    http_status = 422


class FrameTooLarge(CharruaError):
    """The frame needs more memory than imaging may take."""

    dimse_status = 0xA700
    http_status = 422


class CodecUnavailable(CharruaError):
    """The archive has no codec for such pixels in this transfer syntax."""

    http_status = 406


class ImagingTimeout(CharruaError):
    """The frame took longer than imaging may take."""

    http_status = 504


class ImagingCrashed(CharruaError):
    """The process that worked at the frame died of it."""


class FramePoisoned(CharruaError):
    """The frame has ended two processes that worked at it; it is not tried again for an hour."""


class ImagingBusy(CharruaError):
    """Too much waits for imaging already; ask again later."""

    dimse_status = 0xA700
    http_status = 503


class ImagingFailed(CharruaError):
    """Imaging failed at something that is no fault of the frame."""


class BulkDataNotFound(CharruaError):
    """The object has no value at this place."""

    dimse_status = 0xA900
    http_status = 404


class FrameNotFound(CharruaError):
    """The object has no frame of this number."""

    dimse_status = 0xA900
    http_status = 404


class RenderingInvalid(CharruaError):
    """The object cannot be rendered as was asked."""

    http_status = 400


class NotProven(CharruaError):
    """The transcoded object is not surely the one that was received."""

    http_status = 409
