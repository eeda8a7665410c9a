"""The calls of the control API about the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response
from starlette.routing import Route

from codexia.account import Observed
from codexia_supervisor.control_calls import body_of, json_response, message_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from codexia.account import AccountStatus
    from codexia_supervisor.account import Account

MAX_REPORT_BYTES: Final = 1024 * 1024


def account_routes(account: Account, status: Callable[[], Awaitable[AccountStatus]]) -> list[Route]:
    """Return the routes.

    Args:
        account: takes the reports of workers.
        status: gives the account with the gateway's part.
    """

    async def get(_: Request) -> Response:
        return json_response((await status()).model_dump_json().encode())

    async def observed(request: Request) -> Response:
        account.observe(message_of(Observed, await body_of(request, MAX_REPORT_BYTES)))
        return Response(status_code=204)

    return [Route("/account", get), Route("/observed", observed, methods=["POST"])]
