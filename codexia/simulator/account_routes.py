"""The backend's endpoints that tell of the account: catalogue, usage, account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from codexia.simulator.catalogue import catalogue_etag, models_for, version_tuple
from codexia.simulator.findings import Finding, detail_answer
from codexia.simulator.gate import rendered
from codexia.simulator.tokens import ACCOUNT_ID, EMAIL, PLAN_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codexia.simulator.gate import Gate
    from codexia.simulator.plan import Plan


class AccountRoutes:
    """Handlers of what is asked now and then."""

    def __init__(self, gate: Gate, plan: Callable[[], Plan]) -> None:
        self._gate = gate
        self._plan = plan

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
        plan = self._plan()
        return self._refusal(request, "usage") or _json(_usage(plan))

    async def accounts_check(self, request: web.Request) -> web.StreamResponse:
        """Answer the account list in the form that clients ask for now."""
        account = {
            "id": ACCOUNT_ID,
            "name": self._plan().account.get("name"),
            "structure": "personal",
            "plan_type": PLAN_TYPE,
            "workspace_backend_origin": "NO_CONSTRAINT",
            "account_routing_override": "NO_CONSTRAINT",
        }
        reply = {"accounts": [account], "default_account_id": ACCOUNT_ID}
        return self._refusal(request, "accounts") or _json(reply)

    async def accounts_check_v4(self, request: web.Request) -> web.StreamResponse:
        """Answer the account list in the older form, which has the subscription."""
        return self._refusal(request, "account") or _json(_account_v4(self._plan().account))

    def _refusal(self, request: web.Request, endpoint: str) -> web.Response | None:
        status = self._plan().fail.get(endpoint)
        refusal = self._gate.refusal(self._gate.login_findings(request))
        if refusal is None and status is not None:
            return rendered(detail_answer("the simulator was told to fail here", status))
        return refusal


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


def _usage(plan: Plan) -> dict[str, Any]:
    return {
        "user_id": "user-simulated",
        "account_id": ACCOUNT_ID,
        "email": plan.account.get("email", EMAIL),
        "plan_type": PLAN_TYPE,
        "rate_limit": plan.of_usage(),
        "code_review_rate_limit": None,
        "additional_rate_limits": [
            {
                "limit_name": limit.limit_name,
                "metered_feature": limit.metered_feature,
                "rate_limit": limit.of_usage(),
            }
            for limit in plan.additional
        ]
        or None,
        "credits": plan.credits,
        "spend_control": {"reached": False, "individual_limit": None},
        "rate_limit_reached_type": None,
        "promo": None,
        "referral_beacon": None,
        "rate_limit_reset_credits": {"available_count": 0},
    }


def _account_v4(known: dict[str, Any]) -> dict[str, Any]:
    account: dict[str, Any] = {
        "account": {
            "account_id": ACCOUNT_ID,
            "account_user_role": "account-owner",
            "structure": "personal",
            "plan_type": PLAN_TYPE,
            "name": known.get("name"),
            "is_deactivated": False,
            "has_previously_paid_subscription": True,
        },
        "features": [],
        "entitlement": {
            "subscription_id": "sub_simulated",
            "has_active_subscription": True,
            "subscription_plan": known.get("plan", "chatgptpro"),
            "expires_at": known.get("expires_at", "2099-01-01T00:00:00+00:00"),
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
