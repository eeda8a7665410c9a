"""The status as the command line finds it: the running gateway's, or one's own without it."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from codexia.account import AccountStatus
from codexia.account_questions import account_of_token, ask_account, ask_usage
from codexia.account_report import Known, account_status
from codexia.backend import BackendUnavailable, LoginRefused, ask_backend
from codexia.codex.account import Account
from codexia.codex.upstream import CodexUpstream, Credential
from codexia.config import read_config_file, resolve
from codexia.control_client import ControlClient, NoSupervisor
from codexia.errors import NotFound, SupervisorUnavailable
from codexia.oauth.credentials import NOT_REFRESHED, CredentialsUnreadable, read_credentials
from codexia.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from codexia.codex.rate_limits import RateLimits
    from codexia.http import httpx
    from codexia.oauth.credentials import Credentials
    from codexia.settings import Settings

GATEWAY_TIMEOUT_S = 30.0
"""The gateway may ask the backend first, and refresh the login for that."""

LOG_IN = "not logged in; run `codexia login`"
REFUSED = "the backend refuses the login; run `codexia refresh`, or `codexia login` if that fails"
EXPIRED = "the access token has expired; run `codexia refresh`, or `codexia login` if that fails"
EXPIRED_FOR_GOOD = "the access token has expired and cannot be refreshed; run `codexia login`"

T = TypeVar("T")


def status_of_home() -> AccountStatus:
    """Return the status of the home that the environment names.

    Raises:
        ConfigError: there is no gateway, and a setting is wrong.
    """
    home = Home.from_environment()
    try:
        answer = ControlClient(home.control_socket, GATEWAY_TIMEOUT_S).call("GET", "/account")
        return AccountStatus.model_validate(answer)
    except NoSupervisor:
        trouble = ""
    except (NotFound, SupervisorUnavailable) as error:
        trouble = f"the running gateway does not tell its status: {error.message}"
    settings = resolve({}, os.environ, read_config_file(home.config_file), home.config_file)
    return asyncio.run(_found_out(home, settings.settings, trouble))


async def _found_out(home: Home, settings: Settings, trouble: str) -> AccountStatus:
    """Return what auth.json and the backend tell."""
    known = Known(warnings=[trouble] if trouble else [])
    path = home.auth_file if settings.auth_file is None else settings.auth_file.expanduser()
    try:
        stored = read_credentials(path)
    except CredentialsUnreadable as error:
        known = replace(known, hint=error.message)
    else:
        known = await _asked(stored, settings, known) if stored else replace(known, hint=LOG_IN)
    if known.hint:
        known = replace(known, warnings=[*known.warnings, known.hint])
    return account_status(known, time.time())


async def _asked(stored: Credentials, settings: Settings, known: Known) -> Known:
    known = replace(
        known,
        account_id=stored.account_id,
        expires_at=stored.expires_at,
        account=account_of_token(stored.access_token),
    )
    if not stored.access_token or 0 < stored.expires_at <= time.time():
        return replace(known, hint=EXPIRED if stored.refresh_token else EXPIRED_FOR_GOOD)
    if not stored.refresh_token:
        known = _with_warnings(known, NOT_REFRESHED)
    upstream = CodexUpstream(
        settings.upstream_base_url,
        settings.originator,
        settings.user_agent,
        settings.client_version,
    )
    credential = Credential(stored.access_token, stored.account_id)

    async def ask(url_of: Callable[[CodexUpstream], str], *, timeout_s: float) -> httpx.Response:
        return await ask_backend(upstream, credential, url_of(upstream), timeout_s=timeout_s)

    async with asyncio.TaskGroup() as group:
        facts = group.create_task(_or_failure(ask_account(ask, stored.account_id)))
        usage = group.create_task(_or_failure(ask_usage(ask)))
    return _with_usage(_with_facts(known, facts.result()), usage.result())


def _with_facts(known: Known, facts: tuple[Account, str] | BackendUnavailable) -> Known:
    if isinstance(facts, BackendUnavailable):
        return _with_warnings(known, f"account status unavailable: {facts}")
    account, missing = facts
    known = replace(known, account=account.completed(known.account or Account()))
    return _with_warnings(known, missing)


def _with_usage(known: Known, usage: tuple[RateLimits, Account] | BackendUnavailable) -> Known:
    if isinstance(usage, LoginRefused):
        return replace(known, hint=REFUSED)
    if isinstance(usage, BackendUnavailable):
        return _with_warnings(known, f"rate limits unavailable: {usage}")
    limits, account = usage
    return replace(known, limits=limits, account=(known.account or Account()).completed(account))


def _with_warnings(known: Known, *warnings: str) -> Known:
    return replace(known, warnings=[*known.warnings, *filter(None, warnings)])


async def _or_failure(question: Coroutine[Any, Any, T]) -> T | BackendUnavailable:
    try:
        return await question
    except BackendUnavailable as failure:
        return failure
