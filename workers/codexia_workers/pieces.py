"""Answers that pass through a worker piece by piece: results and contents of files."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from codexia_workers.answers import identity_headers
from codexia_workers.body import ClientGone
from codexia_workers.generate import until_gone

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from starlette.types import Receive, Scope, Send

    from codexia_workers.answers import Headers

logger = logging.getLogger("codexia.batches")


async def send_pieces(
    scope: Scope, receive: Receive, send: Send, headers: Headers, pieces: AsyncIterable[bytes]
) -> None:
    """Send a body piece by piece, until the client leaves.

    If the supervisor stops in the middle the body stays without its end, which clients take for
    the broken connection that it is.
    """
    start_headers = [*headers, *identity_headers(scope)]
    await send({"type": "http.response.start", "status": 200, "headers": start_headers})
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(until_gone(receive))
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            watching.cancel()
            await send({"type": "http.response.body", "body": b""})
    except* ClientGone:
        pass
    except* OSError:
        logger.warning("answer broke off id=%s", scope["state"]["request_id"])
