"""The redirect at the end of a login, as it arrives or as a person pastes it.

Four forms are taken: the full address (with or without its scheme), `code=...&state=...`,
`code#state`, and the bare code.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from codexia.errors import BadRequest

EXPLANATIONS: Final = {
    "access_denied": "the login was declined in the browser",
    "missing_codex_entitlement": "this account has no access to Codex; its workspace must allow it",
}
"""What people should read for an `error` or `error_description` of the redirect."""


class RedirectRejected(BadRequest):
    """The redirect carries no code that we may use."""


class LoginDeclined(RedirectRejected):
    """The authority ended this login attempt without a login."""


def code_of_redirect(text: str, state: str) -> str:
    """Return the authorisation code.

    Args:
        text: the redirect in any of its forms.
        state: of this login attempt. A redirect without one is taken, because a bare code
            is all that some browsers let a person copy.

    Raises:
        LoginDeclined: it says that this login attempt failed.
        RedirectRejected: it belongs to another attempt, or has no code.
    """
    fields = _fields(text.strip())
    if fields.get("state", state) != state:
        raise RedirectRejected(
            "the redirect belongs to another login attempt (state mismatch); "
            "open the address that `codexia login` printed last, and paste what it leads to"
        )
    if "error" in fields:
        raise LoginDeclined(_explain(fields["error"], fields.get("error_description", "")))
    code = fields.get("code", "")
    if not code:
        raise RedirectRejected(
            "there is no authorization code in what was pasted; "
            "paste the whole address that the browser ended on"
        )
    return code


def _fields(text: str) -> dict[str, str]:
    if any(name in text for name in ("code=", "error=", "state=")):
        query = text.partition("?")[2] if "?" in text else text
        return {name: values[0] for name, values in parse_qs(query.partition("#")[0]).items()}
    if "://" in text:
        return {}
    code, separator, state = text.partition("#")
    return {"code": code, "state": state} if separator and state else {"code": code}


def _explain(error: str, description: str) -> str:
    reason = EXPLANATIONS.get(description) or EXPLANATIONS.get(error)
    detail = _shown(f"{error}: {description}" if description else error)
    return f"{reason} ({detail})" if reason else f"the login failed ({detail})"


def _shown(text: str) -> str:
    """Return a text from outside without what a terminal would act on."""
    return "".join(each for each in text[:300] if each.isprintable())
