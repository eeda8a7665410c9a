from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

from codexia.oauth.authorize import Authority, redirect_uri
from codexia.oauth.pkce import Pkce


def test_url_carries_what_the_authority_expects() -> None:
    pkce = Pkce("verifier", "state")
    url = urlsplit(Authority("http://127.0.0.1:1").authorize_url(pkce, redirect_uri(), "codexia"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "http://127.0.0.1:1/oauth/authorize"
    digest = sha256(b"verifier").digest()
    assert parse_qs(url.query, strict_parsing=True) == {
        "response_type": ["code"],
        "client_id": ["app_EMoamEEZ73f0CkXaXp7hrann"],
        "redirect_uri": ["http://localhost:1455/auth/callback"],
        "scope": ["openid profile email offline_access"],
        "code_challenge": [urlsafe_b64encode(digest).decode().rstrip("=")],
        "code_challenge_method": ["S256"],
        "id_token_add_organizations": ["true"],
        "codex_cli_simplified_flow": ["true"],
        "state": ["state"],
        "originator": ["codexia"],
    }


def test_secrets_are_fresh_long_and_not_in_the_repr() -> None:
    first, second = Pkce.generate(), Pkce.generate()
    assert first.verifier != second.verifier
    assert first.state != second.state
    # https://www.rfc-editor.org/rfc/rfc7636#section-4.1
    assert re.fullmatch(r"[A-Za-z0-9\-._~]{43,128}", first.verifier)
    assert first.verifier not in repr(first)
    assert first.state not in repr(first)
