from __future__ import annotations

import pytest

from codexia.oauth.redirect import RedirectRejected, code_of_redirect


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:1455/auth/callback?code=ac%2B1&state=s1",
        "  localhost:1455/auth/callback?code=ac%2B1&state=s1\n",
        "http://localhost:1455/auth/callback?code=ac%2B1&scope=openid&state=s1#fragment",
        "code=ac%2B1&state=s1",
        "?code=ac%2B1&state=s1",
        "ac+1#s1",
        "ac+1",
    ],
)
def test_forms_of_a_redirect(text: str) -> None:
    assert code_of_redirect(text, "s1") == "ac+1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://localhost:1455/auth/callback?code=c&state=other", "state mismatch"),
        ("c#other", "state mismatch"),
        ("http://localhost:1455/auth/callback?state=s1", "no authorization code"),
        ("", "no authorization code"),
        ("state=s1", "no authorization code"),
        ("http://localhost:1455/auth/callback?error=access_denied&state=s1", "declined"),
        (
            "http://localhost/?error=access_denied&error_description=missing_codex_entitlement",
            "no access to Codex",
        ),
        ("error=server_error&error_description=try+later&state=s1", "server_error: try later"),
    ],
)
def test_redirects_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(RedirectRejected, match=reason):
        code_of_redirect(text, "s1")


@pytest.mark.parametrize("host", ["[", "]", "local]host", "[::1", "\uff0e\u2100"])
def test_code_is_found_whatever_the_host_has_become(host: str):
    assert code_of_redirect(f"http://{host}:1455/auth/callback?code=ac_1&state=s#x", "s") == "ac_1"
