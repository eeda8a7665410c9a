"""The backend's endpoints that tell of the account: catalogue, usage, account."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from codexia.simulator.catalogue import catalogue_etag, models_for, version_tuple
from codexia.simulator.findings import Finding, detail_answer
from codexia.simulator.tokens import ACCOUNT_ID, EMAIL, PLAN_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.simulator.gate import Gate


class AccountRoutes:
    """Handlers of what is asked now and then."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        base = "/backend-api"
        return [
            web.get(f"{base}/codex/models", self.models),
            web.get(f"{base}/wham/usage", self.usage),
            web.get(f"{base}/codex/usage", self.usage),
            web.get(f"{base}/wham/accounts/check", self.accounts_check),
            web.get(f"{base}/accounts/check/v4-2023-04-27", self.accounts_check_v4),
        ]

    async def models(self, request: web.Request) -> web.StreamResponse:
        """Answer the catalogue as a client of its version may see it."""
        findings = [*self._gate.login_findings(request), *_client_version_findings(request)]
        refusal = self._gate.refusal(findings)
        if refusal is not None:
            return refusal
        headers = {"ETag": catalogue_etag()}
        if request.headers.get("If-None-Match") == catalogue_etag():
            return web.Response(status=304, headers=headers)
        models = models_for(version_tuple(request.query["client_version"]))
        return _json({"models": models}, headers)

    async def usage(self, request: web.Request) -> web.StreamResponse:
        """Answer how much of the plan's windows is used."""
        return self._gate.refusal(self._gate.login_findings(request)) or _json(_usage())

    async def accounts_check(self, request: web.Request) -> web.StreamResponse:
        """Answer the account list in the form that clients ask for now."""
        account = {
            "id": ACCOUNT_ID,
            "name": None,
            "structure": "personal",
            "plan_type": PLAN_TYPE,
            "workspace_backend_origin": "NO_CONSTRAINT",
            "account_routing_override": "NO_CONSTRAINT",
        }
        reply = {"accounts": [account], "default_account_id": ACCOUNT_ID}
        return self._gate.refusal(self._gate.login_findings(request)) or _json(reply)

    async def accounts_check_v4(self, request: web.Request) -> web.StreamResponse:
        """Answer the account list in the older form, which has the subscription."""
        return self._gate.refusal(self._gate.login_findings(request)) or _json(_account_v4())


def _client_version_findings(request: web.Request) -> Iterator[Finding]:
    version = request.query.get("client_version")
    where = {"loc": ["query", "client_version"], "input": version}
    if version is None:
        problem = {"type": "missing", "msg": "Field required", **where}
        yield Finding("client_version", "no client_version", detail_answer([problem], 422))
        return
    try:
        version_tuple(version)
    except ValueError:
        problem = {"type": "value_error", "msg": "Invalid version", **where}
        yield Finding("client_version", f"bad version {version}", detail_answer([problem], 422))


def _usage() -> dict[str, Any]:
    return {
        "user_id": "user-simulated",
        "account_id": ACCOUNT_ID,
        "email": EMAIL,
        "plan_type": PLAN_TYPE,
        "rate_limit": {
            "allowed": True,
            "limit_reached": False,
            "primary_window": _window(31, 18_000, 7200),
            "secondary_window": _window(12, 604_800, 316_705),
        },
        "code_review_rate_limit": None,
        "additional_rate_limits": None,
        "credits": {
            "has_credits": False,
            "unlimited": False,
            "overage_limit_reached": False,
            "balance": "0",
            "approx_local_messages": None,
            "approx_cloud_messages": None,
        },
        "spend_control": {"reached": False, "individual_limit": None},
        "rate_limit_reached_type": None,
        "promo": None,
        "referral_beacon": None,
        "rate_limit_reset_credits": {"available_count": 0},
    }


def _window(used_percent: int, length_s: int, left_s: int) -> dict[str, int]:
    return {
        "used_percent": used_percent,
        "limit_window_seconds": length_s,
        "reset_after_seconds": left_s,
        "reset_at": int(time.time()) + left_s,
    }


def _account_v4() -> dict[str, Any]:
    account: dict[str, Any] = {
        "account": {
            "account_id": ACCOUNT_ID,
            "account_user_role": "account-owner",
            "structure": "personal",
            "plan_type": PLAN_TYPE,
            "name": None,
            "is_deactivated": False,
            "has_previously_paid_subscription": True,
        },
        "features": [],
        "entitlement": {
            "subscription_id": "sub_simulated",
            "has_active_subscription": True,
            "subscription_plan": "chatgptpro",
            "expires_at": "2099-01-01T00:00:00+00:00",
        },
        "last_active_subscription": {
            "purchase_origin_platform": "chatgpt_web",
            "will_renew": True,
        },
    }
    return {
        "accounts": {ACCOUNT_ID: account, "default": account},
        "account_ordering": [ACCOUNT_ID],
    }


def _json(content: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(content), content_type="application/json", headers=headers
    )
