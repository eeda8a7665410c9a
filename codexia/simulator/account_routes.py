"""The backend's other endpoints: catalogue, usage, account, images."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from codexia.simulator.catalogue import catalogue_etag, models_for, version_tuple
from codexia.simulator.findings import Finding, detail_answer, error_answer, refused
from codexia.simulator.gate import BadEncoding, Gate, decoded_body, encoding_finding
from codexia.simulator.items import IMAGE_FORM, IMAGE_TOKENS, PNG_BASE64, new_id
from codexia.simulator.shapes import JsonObject, as_object
from codexia.simulator.tokens import ACCOUNT_ID, EMAIL, PLAN_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE_FIELDS = {"background", "images", "model", "n", "prompt", "quality", "size"}
MOST_IMAGES = 10


class AccountRoutes:
    """Handlers of everything that is no stream."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        base = "/backend-api"
        return [
            web.get(f"{base}/codex/models", self.models),
            web.post(f"{base}/codex/images/generations", self.images),
            web.post(f"{base}/codex/images/edits", self.images),
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

    async def images(self, request: web.Request) -> web.StreamResponse:
        """Answer generated images: a pixel each."""
        try:
            body = as_object(orjson.loads(await decoded_body(request)))
        except BadEncoding as error:
            refusal = self._gate.refusal([encoding_finding(error)])
            return refusal or web.Response(status=400)
        except orjson.JSONDecodeError:
            body = None
        findings = [*self._gate.login_findings(request), *_image_findings(body, request.path)]
        return self._gate.refusal(findings) or _json(_images(body or {}))


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


def _image_findings(body: JsonObject | None, path: str) -> Iterator[Finding]:
    if body is None:
        yield refused("body", "Request body must be a JSON object")
        return
    for name in body:
        if name not in IMAGE_FIELDS:
            yield refused("unsupported_parameter", f"Unsupported parameter: {name}")
    needed = ["prompt", "model", *(["images"] if path.endswith("edits") else [])]
    for name in needed:
        if not body.get(name):
            message = f"Missing required parameter: '{name}'."
            code = "missing_required_parameter"
            yield Finding("image", message, error_answer(message, param=name, code=code))
    number = body.get("n", 1)
    if not isinstance(number, int) or not 1 <= number <= MOST_IMAGES:
        message = f"Invalid 'n': expected an integer from 1 to {MOST_IMAGES}."
        answer = error_answer(message, param="n", code="invalid_value")
        yield Finding("image", message, answer, is_violation=False)


def _images(body: dict[str, Any]) -> dict[str, Any]:
    number = body.get("n", 1)
    prompt_tokens = max(1, len(body["prompt"]) // 4)
    made = number * IMAGE_TOKENS
    return {
        "created": int(time.time()),
        **IMAGE_FORM,
        "data": [{"b64_json": PNG_BASE64, "generation_id": new_id("ig")} for _ in range(number)],
        "usage": {
            "input_tokens": prompt_tokens,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": prompt_tokens},
            "output_tokens": made,
            "output_tokens_details": {"image_tokens": made, "text_tokens": 0},
            "total_tokens": prompt_tokens + made,
        },
    }


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
