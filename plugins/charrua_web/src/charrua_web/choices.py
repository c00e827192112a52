"""The settings of the web server."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from charrua_core.accounts import ROLES, is_local
from charrua_core.errors import SettingInvalid
from charrua_core.settings import Setting
from charrua_web.networks import LOOPBACK

if TYPE_CHECKING:
    from charrua_core.settings import Settings

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
        "web_authentication",
        bool,
        True,
        help="Whether who looks at the pages must log in; off takes what rest_authentication takes.",
        since="0.1",
    ),
    Setting(
        "anonymous_role",
        str,
        "",
        choices=("", *ROLES),
        help="The role of who comes without log-in, where rest_authentication or web_authentication is off.",
        since="0.1",
    ),
    Setting(
        "anonymous_networks",
        tuple,
        (),
        unit="addresses or networks",
        help="From where they may come; none: from this machine.",
        since="0.1",
    ),
    Setting(
        "metrics_from",
        tuple,
        LOOPBACK,
        unit="addresses or networks",
        help="From where /metrics is read without log-in.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "web_tls_certificate",
        Path,
        None,
        help="Certificate chain of the web server (PEM): https. Read again when it changes.",
        since="0.1",
        local=True,
    ),
    Setting(
        "web_tls",
        str,
        "certificate",
        choices=("certificate", "self-signed"),
        help="certificate: https where web_tls_certificate is given; self-signed: https with a certificate made in the data "
        "folder where it is not.",
        since="0.1",
    ),
    Setting(
        "web_redirect_port",
        int,
        None,
        minimum=0,
        maximum=65535,
        help="A second port, without TLS, that leads browsers to https; none: there is none.",
        since="0.1",
        local=True,
    ),
    Setting(
        "web_max_connections",
        int,
        1000,
        minimum=10,
        maximum=100_000,
        help="Connections to the web server at a time; one more takes the place of the longest idle one, or is refused.",
        since="0.1",
    ),
    Setting(
        "web_max_connections_per_address",
        int,
        100,
        minimum=5,
        maximum=100_000,
        help="Of these, how many from one address; trusted proxies may have all.",
        since="0.1",
    ),
    Setting("web_tls_key", Path, None, help="Private key of the certificate (PEM).", since="0.1", local=True),
)


def open_settings(settings: Settings) -> list[str]:
    """Give the names of the settings that let people in without log-in."""
    return [name for name in ("rest_authentication", "web_authentication") if not settings[name]]


def check_anonymous(settings: Settings) -> None:
    """SettingInvalid where callers without log-in would be let in from anywhere, or as nobody knows whom."""
    opened = " and ".join(open_settings(settings))
    if not opened:
        return
    if not settings["anonymous_role"]:
        raise SettingInvalid(f"with {opened} off, anonymous_role must say what callers without log-in may do")
    if not is_here(settings["web_host"]) and not settings["anonymous_networks"]:
        raise SettingInvalid(
            f"with {opened} off and web_host {settings['web_host']} open to the network, name in "
            "anonymous_networks from where callers without log-in may come"
        )


def is_here(host: str) -> bool:
    """Whether a server that listens there is reached from its own machine alone."""
    return host == "localhost" or (host != "" and is_local(host))
