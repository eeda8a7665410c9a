"""The redirect at the end of a login, as it arrives or as a person pastes it.

Four forms are taken: the full address (with or without its scheme), `code=...&state=...`,
`code#state`, and the bare code.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, urlsplit

from codexia.errors import BadRequest

EXPLANATIONS: Final = {
    "access_denied": "the login was declined in the browser",
    "missing_codex_entitlement": "this account has no access to Codex; its workspace must allow it",
}
"""What people should read for an `error` or `error_description` of the redirect."""


class RedirectRejected(BadRequest):
    """The redirect carries no code that we may use."""


def code_of_redirect(text: str, state: str) -> str:
    """Return the authorisation code.

    Args:
        text: the redirect in any of its forms.
        state: of this login attempt. A redirect without one is taken, because a bare code
            is all that some browsers let a person copy.

    Raises:
        RedirectRejected: the login failed, belongs to another attempt, or has no code.
    """
    fields = _fields(text.strip())
    if fields.get("state", state) != state:
        raise RedirectRejected(
            "the redirect belongs to another login attempt (state mismatch); "
            "start `codexia login` again and use the newest address"
        )
    if "error" in fields:
        raise RedirectRejected(_explain(fields["error"], fields.get("error_description", "")))
    code = fields.get("code", "")
    if not code:
        raise RedirectRejected(
            "there is no authorization code in what was pasted; "
            "paste the whole address that the browser ended on"
        )
    return code


def _fields(text: str) -> dict[str, str]:
    if "code=" in text or "error=" in text:
        query = urlsplit(text).query if "?" in text else text
        return {name: values[0] for name, values in parse_qs(query.partition("#")[0]).items()}
    if "://" in text:
        return {}
    code, separator, state = text.partition("#")
    return {"code": code, "state": state} if separator and state else {"code": code}


def _explain(error: str, description: str) -> str:
    reason = EXPLANATIONS.get(description) or EXPLANATIONS.get(error)
    detail = f"{error}: {description}" if description else error
    return f"{reason} ({detail})" if reason else f"the login failed ({detail})"
