"""The call of the control API by which workers ask for a share of the streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response
from starlette.routing import Route

from codexia.control import Demand
from codexia_supervisor.control_calls import body_of, message_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from codexia_supervisor.shares import Shares

MAX_DEMAND_BYTES: Final = 1024 * 1024


def share_routes(shares: Shares) -> list[Route]:
    """Return the routes."""

    async def demand(request: Request) -> Response:
        shares.report(message_of(Demand, await body_of(request, MAX_DEMAND_BYTES)))
        return Response(status_code=204)

    return [Route("/demand", demand, methods=["POST"])]
