"""TLS contexts for DICOM (PS3.15 B.12, the BCP 195 RFC 8996 profile): FEATURES A13's modes."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Mapping
from typing import Any, Literal

TlsMode = Literal["off", "encrypt", "request", "require"]
"""Of a server: no TLS; no peer certificate asked for; checked if given; demanded and checked."""

CIPHERS = ":".join(
    f"ECDHE-{kind}-{cipher}"
    for cipher in ("AES256-GCM-SHA384", "AES128-GCM-SHA256", "CHACHA20-POLY1305")
    for kind in ("ECDSA", "RSA")
)
"""TLS 1.2 suites with forward secrecy and authenticated encryption; the TLS 1.3 suites are all of that kind."""

StrPath = str | os.PathLike[str]


def server_context(
    mode: TlsMode, certificate: StrPath, key: StrPath | None = None, authorities: StrPath | None = None
) -> ssl.SSLContext | None:
    """The context of a listener, None for "off". Files are PEM; `authorities` are those who sign peers' certificates.

    Raises ValueError if the mode needs authorities and has none, OSError or ssl.SSLError if a file is unusable.
    """
    if mode == "off":
        return None
    context = _profile(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    context.load_cert_chain(certificate, key)
    if mode in ("request", "require"):
        if authorities is None:
            raise ValueError(f"TLS mode {mode} needs the certificates of the peers' authorities")
        context.load_verify_locations(authorities)
        context.verify_mode = ssl.CERT_REQUIRED if mode == "require" else ssl.CERT_OPTIONAL
    return context


def client_context(
    mode: Literal["encrypt", "require"] | str = "encrypt",
    certificate: StrPath | None = None,
    key: StrPath | None = None,
    authorities: StrPath | None = None,
) -> ssl.SSLContext:
    """The context of a requestor: "encrypt" checks nothing, "require" checks the peer's certificate and shows ours.

    Host names are not compared: certificates of DICOM nodes name devices (PS3.15 B.1); the authority decides.
    """
    context = _profile(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if mode == "require":
        if authorities is None or certificate is None:
            raise ValueError("TLS mode require needs our certificate and the certificates of the peers' authorities")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authorities)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def _profile(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "countryName": "C",
}


def certificate_names(shown: Mapping[str, Any], der: bytes | None) -> frozenset[str]:
    """By what the owner of a certificate, as `ssl.SSLSocket.getpeercert` gives it, may be known: fingerprint and subject."""
    parts = [part for several in shown.get("subject", ()) for part in several]
    subject = ",".join(f"{_SHORT.get(kind, kind)}={_escaped(value)}" for kind, value in parts)
    return frozenset({subject, f"sha256:{hashlib.sha256(der or b'').hexdigest()}"} - {""})


def _escaped(value: str) -> str:
    """The value with what ends one written otherwise (RFC 4514 2.4): no name reads like two."""
    return value.replace("\\", "\\\\").replace(",", "\\,")
