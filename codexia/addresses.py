"""Addresses to listen on, and by which names a client may call what listens there."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


def host_and_port(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; IPv6 hosts may stand in brackets.

    Raises:
        ValueError: it is not of that form.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{address!r} is not HOST:PORT, e.g. 127.0.0.1:14550")
    return host.strip("[]"), int(port)


def is_our_name(host: str, bind_host: str, allowed: Iterable[str]) -> bool:
    """Return whether a `Host` header names what listens at an address.

    Args:
        host: the header.
        bind_host: where it listens.
        allowed: names beside loopback's and that.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].strip("[]").lower()
    if name in LOOPBACK_NAMES or name == bind_host.lower():
        return True
    if name in {each.lower() for each in allowed}:
        return True
    # Rebinding needs a name. On a bind that others may reach, an address is as good as ours.
    return bind_host not in LOOPBACK_NAMES and _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
