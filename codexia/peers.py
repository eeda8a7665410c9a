"""Who is at the other end of a Unix socket.

The kernel knows: https://man7.org/linux/man-pages/man7/unix.7.html (SO_PEERCRED) and unix(4) of
macOS (LOCAL_PEERCRED). Modes already keep other users from our sockets. This holds where
somebody changed those, or gave a directory away.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Final

SUPERUSER: Final = 0

_UCRED: Final = struct.Struct("3i")
_XUCRED: Final = struct.Struct("=IIh2x16I")
_SOL_LOCAL: Final = 0
_LOCAL_PEERCRED: Final = 1


def is_foreign(connection: socket.socket) -> bool:
    """Return whether the process at the other end runs as another user, and not as root."""
    uid = peer_uid(connection)
    return uid is not None and uid not in {os.geteuid(), SUPERUSER}


def peer_uid(connection: socket.socket) -> int | None:
    """Return the user at the other end, None where this system does not tell."""
    if sys.platform == "linux":
        _, uid, _ = _UCRED.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        )
        return uid
    if sys.platform == "darwin":
        _, uid, *_ = _XUCRED.unpack(
            connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED.size)
        )
        return uid
    return None
