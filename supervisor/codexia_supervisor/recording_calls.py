"""The call of the control API by which workers hand over what they recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from codexia.recordings.recording import MAX_RECORDING_BYTES
from codexia_supervisor.control_calls import body_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from codexia_supervisor.recordings import Recordings


def recording_routes(recordings: Recordings) -> list[Route]:
    """Return the routes."""

    async def keep(request: Request) -> Response:
        content = await body_of(request, MAX_RECORDING_BYTES)
        await recordings.keep(request.path_params["name"], content)
        return Response(status_code=204)

    return [Route("/recordings/{name}", keep, methods=["PUT"])]
