"""TLS of the HL7 listener: its own certificate, or the archive's."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from charrua_core.dicom.certificates import own_certificate
from charrua_core.dicom.tls import server_context
from charrua_core.errors import SettingInvalid

if TYPE_CHECKING:
    from charrua_core.settings import Settings


async def listener_context(settings: Settings) -> ssl.SSLContext | None:
    """Give the listener's context, None where `hl7_tls` is off. SettingInvalid where a file does not do."""
    mode = settings["hl7_tls"]
    if mode == "off":
        return None
    certificate, key = settings["hl7_tls_certificate"], settings["hl7_tls_key"]
    if certificate is None:
        certificate, key = await own_certificate(settings)
    authorities = settings["hl7_tls_authorities"] or settings["dicom_tls_authorities"]
    try:
        return server_context(mode, certificate, key, authorities)
    except (OSError, ValueError) as error:
        raise SettingInvalid(f"hl7_tls {mode} with the certificate {certificate}: {error}") from error
