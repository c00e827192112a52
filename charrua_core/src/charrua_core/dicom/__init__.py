"""The DICOM upper layer and DIMSE: acceptor and requestor of associations, on asyncio, without database or archive."""

from charrua_core.dicom.acceptor import Acceptor, AssociationRequest
from charrua_core.dicom.association import Association, ContextNotAccepted, TlsInfo
from charrua_core.dicom.command import Command, CommandField
from charrua_core.dicom.dispatch import UNCOMPRESSED, Dispatcher, Roles, ServiceClass, agreeing, first_offered
from charrua_core.dicom.exchange import AssociationStats
from charrua_core.dicom.limits import Limits
from charrua_core.dicom.message import DataSetTooLarge, Message, PresentationContext, Sink
from charrua_core.dicom.pdu import (
    CALLED_AE_NOT_RECOGNIZED,
    CALLING_AE_NOT_RECOGNIZED,
    LOCAL_LIMIT_EXCEEDED,
    NO_REASON_GIVEN,
    TEMPORARY_CONGESTION,
    ProposedContext,
    Rejection,
    UserIdentity,
)
from charrua_core.dicom.requestor import PeerRejected, associate, open_association
from charrua_core.dicom.tls import TlsMode, client_context, server_context
from charrua_core.types import FileRange, Peer

__all__ = [
    "CALLED_AE_NOT_RECOGNIZED",
    "CALLING_AE_NOT_RECOGNIZED",
    "LOCAL_LIMIT_EXCEEDED",
    "NO_REASON_GIVEN",
    "TEMPORARY_CONGESTION",
    "UNCOMPRESSED",
    "Acceptor",
    "Association",
    "AssociationRequest",
    "AssociationStats",
    "Command",
    "CommandField",
    "ContextNotAccepted",
    "DataSetTooLarge",
    "Dispatcher",
    "FileRange",
    "Limits",
    "Message",
    "Peer",
    "PeerRejected",
    "PresentationContext",
    "ProposedContext",
    "Rejection",
    "Roles",
    "ServiceClass",
    "Sink",
    "TlsInfo",
    "TlsMode",
    "UserIdentity",
    "agreeing",
    "associate",
    "client_context",
    "first_offered",
    "open_association",
    "server_context",
]
