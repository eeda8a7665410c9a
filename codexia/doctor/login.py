"""auth.json: whether there is a login, how long it lasts, and whether it can be refreshed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from codexia.doctor.finding import Finding
from codexia.local_time import from_now
from codexia.oauth.attempt import fingerprint
from codexia.oauth.credentials import CredentialsUnreadable, read_credentials
from codexia.oauth.lock import last_attempt

if TYPE_CHECKING:
    from codexia.doctor.subject import Subject
    from codexia.oauth.credentials import Credentials

NAME = "login"
LOG_IN = "run `codexia login`"
COPY_ANEW = "codexia login --from-codex --read-only"


def check_login(subject: Subject) -> list[Finding]:
    """Return the state of the login."""
    running = subject.running
    if running is not None and not running.logged_in:
        return [Finding(NAME, "broken", _without_advice(running.login_hint), LOG_IN)]
    try:
        stored = read_credentials(subject.auth_file)
    except CredentialsUnreadable as error:
        return [Finding(NAME, "broken", _without_advice(error.message), LOG_IN)]
    if stored is None:
        return [Finding(NAME, "broken", f"not logged in: no {subject.auth_file}", LOG_IN)]
    return [_state_of(stored, subject)]


def _state_of(stored: Credentials, subject: Subject) -> Finding:
    left_s = stored.expires_at - time.time() if stored.expires_at else None
    ends = "" if left_s is None else f"its token ends {from_now(left_s)}"
    expired = not stored.access_token or (left_s is not None and left_s <= 0)
    if refusal := _refusal(stored, subject):
        reason = _without_advice(refusal)
        state = "broken" if expired else "warning"
        return Finding(NAME, state, reason if expired else f"{reason}; {ends}", LOG_IN)
    if not stored.refresh_token:
        what = "a copy of the Codex CLI's access token" if stored.imported else "no refresh token"
        found = f"{what}, so it cannot be refreshed; {ends}".rstrip("; ")
        advice = f"{LOG_IN}; or `{COPY_ANEW}` for another copy" if stored.imported else LOG_IN
        return Finding(NAME, "broken" if expired else "warning", found, advice)
    if expired:
        when = "now" if subject.running else "when the gateway starts"
        return Finding(NAME, "ok", f"the access token has expired, it is refreshed {when}")
    return Finding(NAME, "ok", ends or "present; when its token ends is not known")


def _refusal(stored: Credentials, subject: Subject) -> str:
    """Return why the login server takes the refresh token no more, "" if that is not known."""
    attempt = last_attempt(subject.auth_file)
    token = fingerprint(subject.settings.oauth_issuer, stored.refresh_token)
    return attempt.refusal if attempt is not None and attempt.token == token else ""


def _without_advice(message: str) -> str:
    return message.replace(f"; {LOG_IN}", "")
