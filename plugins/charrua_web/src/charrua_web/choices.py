"""The settings of the web server."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from charrua_core.accounts import ROLES
from charrua_core.settings import Setting

DICOMWEB = "/dicom-web"
"""The one base path of all DICOMweb services; the manual's paths stand beside it."""

SETTINGS = (
    Setting("web_host", str, "127.0.0.1", help="Address that the web server binds.", since="0.1", local=True),
    Setting("web_port", int, 8080, minimum=0, maximum=65535, help="Port of the web server.", since="0.1", local=True),
    Setting(
        "web_url",
        str,
        "",
        help="Address of this archive as browsers know it, https://pacs.example; none: as each request names it.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "web_stall",
        timedelta,
        timedelta(seconds=30),
        minimum=1,
        maximum=3600,
        help="How long a client may neither send nor take anything before its request is broken off.",
        since="0.1",
    ),
    Setting(
        "web_trusted_proxies",
        tuple,
        (),
        unit="addresses or networks",
        help="Reverse proxies whose Forwarded and X-Forwarded-For, -Proto and -Host are believed.",
        since="0.1",
    ),
    Setting(
        "web_cors_origins",
        tuple,
        (),
        help="Origins whose pages may read what is answered here, with their visitor's log-in, as https://viewer.example; "
        "`*`: pages of all others as well, without it.",
        since="0.1",
    ),
    Setting(
        "rest_authentication",
        bool,
        True,
        help="Whether callers of the APIs must log in; off takes anonymous_role, and web_host on loopback or "
        "anonymous_networks.",
        since="0.1",
    ),
    Setting(
        "anonymous_role",
        str,
        "",
        choices=("", *ROLES),
        help="The role of callers without log-in, where rest_authentication is off.",
        since="0.1",
    ),
    Setting(
        "anonymous_networks",
        tuple,
        (),
        unit="addresses or networks",
        help="From where callers without log-in may come, where rest_authentication is off; none: from this machine.",
        since="0.1",
    ),
    Setting(
        "web_tls_certificate",
        Path,
        None,
        help="Certificate chain of the web server (PEM); none: no TLS.",
        since="0.1",
        local=True,
    ),
    Setting("web_tls_key", Path, None, help="Private key of the certificate (PEM).", since="0.1", local=True),
)
