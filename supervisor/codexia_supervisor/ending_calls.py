"""The calls of the control API that end the supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from codexia.control import HandoverRequest
from codexia_supervisor.control_calls import body_of, message_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from codexia_supervisor.ending import Ending


def ending_routes(ending: Ending) -> list[Route]:
    """Return the routes that end the supervisor."""

    async def stop(_: Request) -> Response:
        ending.stop()
        return Response(status_code=202)

    async def hand_over(request: Request) -> Response:
        wanted = message_of(HandoverRequest, await body_of(request))
        if wanted.now:
            ending.hand_over()
        else:
            ending.announce()
        return Response(status_code=202)

    return [
        Route("/stop", stop, methods=["POST"]),
        Route("/handover", hand_over, methods=["POST"]),
    ]
