from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from codexia.oauth.credentials import (
    Credentials,
    CredentialsUnreadable,
    exposed,
    read_credentials,
    write_credentials,
)
from tests.oauth.test_replies import jwt

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = Credentials("at_canary", "rt_canary", 1800000000, "acc_canary")


def test_written_login_is_read_back_and_private(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    write_credentials(path, LOGIN)
    assert read_credentials(path) == LOGIN
    assert path.stat().st_mode & 0o777 == 0o600
    assert not exposed(path)
    assert set(orjson.loads(path.read_bytes())) == {
        "access_token",
        "refresh_token",
        "expires_at",
        "account_id",
    }


def test_no_file_is_no_login(tmp_path: Path) -> None:
    assert read_credentials(tmp_path / "auth.json") is None


def test_blanks_are_filled_in_from_the_access_token(tmp_path: Path) -> None:
    token = jwt({"exp": 1800000000, "https://api.openai.com/auth": {"chatgpt_account_id": "acc"}})
    path = tmp_path / "auth.json"
    path.write_bytes(orjson.dumps({"access_token": token, "extra": 1}))
    assert read_credentials(path) == Credentials(token, "", 1800000000, "acc")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "holds no tokens"),
        (b"{}", "holds no tokens"),
        (b'{"access_token": 5, "refresh_token": null}', "holds no tokens"),
        (b'{"access_token": "opaque"}', "names no account"),
    ],
)
def test_unusable_file_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "auth.json"
    path.write_bytes(content)
    with pytest.raises(CredentialsUnreadable, match=reason):
        read_credentials(path)


def test_file_that_others_can_read_is_exposed(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    write_credentials(path, LOGIN)
    path.chmod(0o644)
    assert exposed(path)


def test_repr_has_no_secrets() -> None:
    assert "canary" not in repr(LOGIN)
