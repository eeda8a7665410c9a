"""auth.json: the login on disk.

The file is `{"access_token", "refresh_token", "expires_at", "account_id"}`. What is missing
is read from the access token where that says it. A login that was copied from another program
has `"imported": true` besides.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.errors import LoginRequired
from codexia.files import replace_file
from codexia.oauth.replies import claims_of

if TYPE_CHECKING:
    from pathlib import Path

    from codexia.oauth.replies import TokenReply


NOT_REFRESHED: Final = (
    "the login cannot be refreshed and ends with its access token; run `codexia login` before that"
)
"""What threatens a login without a refresh token."""


class CredentialsUnreadable(LoginRequired):
    """There is an auth.json that cannot be used."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login.

    Attributes:
        refresh_token: single use; "" where the login cannot be refreshed.
        expires_at: of the access token, unix seconds; 0 when nobody knows.
        imported: whether another program has it too, so that it is not ours to revoke.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: int
    account_id: str = field(repr=False)
    imported: bool = False

    def renewed(self, reply: TokenReply, now: float) -> Credentials:
        """Return the login after a refresh; what the reply leaves out stays."""
        refresh_token = reply.refresh_token or self.refresh_token
        if reply.access_token is None:
            return replace(self, refresh_token=refresh_token)
        expires_at = None if reply.expires_in_s is None else int(now) + reply.expires_in_s
        renewed = of_tokens(reply.access_token, refresh_token, expires_at, self.account_id)
        return replace(renewed, imported=self.imported)


def of_tokens(
    access_token: str, refresh_token: str, expires_at: int | None, account_id: str = ""
) -> Credentials:
    """Return a login, its blanks filled in from the claims of the access token.

    Raises:
        CredentialsUnreadable: nothing says which account it is.
    """
    claims = claims_of(access_token)
    account = claims.account_id or account_id
    if not account:
        raise CredentialsUnreadable("the access token names no account; run `codexia login`")
    return Credentials(access_token, refresh_token, expires_at or claims.expires_at or 0, account)


def read_credentials(path: Path) -> Credentials | None:
    """Return the login that is stored at `path`, None when there is no file.

    Raises:
        CredentialsUnreadable: the file cannot be read or makes no login.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CredentialsUnreadable(f"{path}: {error.strerror or 'cannot be read'}") from error
    try:
        return parse_credentials(raw)
    except CredentialsUnreadable as error:
        raise CredentialsUnreadable(f"{path}: {error.message}") from error


def parse_credentials(raw: bytes) -> Credentials:
    """Return the login that the content of an auth.json makes.

    Raises:
        CredentialsUnreadable: it makes none.
    """
    try:
        stored = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise CredentialsUnreadable("not valid JSON; run `codexia login`") from error
    fields: dict[str, Any] = stored if isinstance(stored, dict) else {}  # pyright: ignore[reportUnknownVariableType]
    access_token, refresh_token = _text(fields, "access_token"), _text(fields, "refresh_token")
    if not access_token and not refresh_token:
        raise CredentialsUnreadable("holds no tokens; run `codexia login`")
    expires_at = fields.get("expires_at")
    credentials = of_tokens(
        access_token,
        refresh_token,
        int(expires_at) if isinstance(expires_at, (int, float)) else None,
        _text(fields, "account_id"),
    )
    return replace(credentials, imported=fields.get("imported") is True)


def write_credentials(path: Path, credentials: Credentials) -> None:
    """Store a login; it is on disk when this returns."""
    replace_file(path, rendered(credentials))


def rendered(credentials: Credentials) -> bytes:
    """Return the content of an auth.json."""
    fields: dict[str, str | int] = {
        "access_token": credentials.access_token,
        "refresh_token": credentials.refresh_token,
        "expires_at": credentials.expires_at,
        "account_id": credentials.account_id,
    }
    if credentials.imported:
        fields["imported"] = True
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def exposed(path: Path) -> bool:
    """Return whether others than the owner may read the file."""
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""
