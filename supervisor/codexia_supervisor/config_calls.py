"""The calls about settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from codexia_supervisor.control_calls import json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from codexia_supervisor.live_config import LiveConfig


def config_routes(config: LiveConfig, reload: Callable[[], None]) -> list[Route]:
    """Return the routes.

    Args:
        config: the settings in force.
        reload: reads config.json again.
    """

    async def show(_: Request) -> Response:
        return json_response(config.status().model_dump_json().encode())

    async def read_again(request: Request) -> Response:
        reload()
        return await show(request)

    return [
        Route("/config", show),
        Route("/config/reload", read_again, methods=["POST"]),
    ]
