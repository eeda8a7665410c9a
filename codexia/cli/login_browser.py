"""The login by a browser: what it ends on comes to the callback or is pasted, either first."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

import typer

from codexia.cli.line_input import LineInput, show
from codexia.cli.paragraph import paragraph
from codexia.errors import CodexiaError
from codexia.oauth.authorize import CALLBACK_PORTS, redirect_uri
from codexia.oauth.callback import awaited_callback
from codexia.oauth.callback_page import failed, succeeded
from codexia.oauth.pkce import Pkce
from codexia.oauth.redirect import LoginDeclined, RedirectRejected, code_of_redirect
from codexia.oauth.replies import claims_of
from codexia.oauth.sign_in import Authorization, sign_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from codexia.oauth.callback import Callback
    from codexia.oauth.client import AuthorityClient
    from codexia.oauth.sign_in import SignedIn
    from codexia.settings import Settings

TIME_LIMIT_S: Final = 900.0
PROMPT: Final = "Redirect address: "


@dataclass(frozen=True, slots=True)
class Redirected:
    """The callback got a code."""

    code: str = field(repr=False)


Event = str | None | Redirected | LoginDeclined
"""A pasted line, None when there will be no more of them, or what came to the callback."""


async def log_in_by_browser(
    settings: Settings, path: Path, authority: AuthorityClient, *, may_open: bool
) -> SignedIn:
    """Return the login that a person makes in a browser, saved at `path`.

    Args:
        settings: whose authority and originator count.
        path: of auth.json.
        authority: a client of the settings' authority.
        may_open: whether to open a browser, where there is one.

    Raises:
        CodexiaError: there is no login; says why.
    """
    pkce = Pkce.generate()
    events: asyncio.Queue[Event] = asyncio.Queue()

    def arrived(redirect: str | LoginDeclined) -> None:
        events.put_nowait(Redirected(redirect) if isinstance(redirect, str) else redirect)

    async with awaited_callback(pkce.state, arrived) as callback:
        redirect = redirect_uri(callback.port if callback else CALLBACK_PORTS[0])
        address = authority.addresses.authorize_url(pkce, redirect, settings.originator)
        opened = may_open and open_browser(address, os.environ)
        typer.echo(_instructions(address, redirect, opened=opened, listening=callback is not None))
        try:
            code = await _code(events, pkce.state, listening=callback is not None)
            authorization = Authorization(code, pkce, redirect)
            signed_in = await sign_in(authorization, path, authority, _tell_retry)
        except CodexiaError as error:
            _conclude(callback, error)
            raise
        _conclude(callback, signed_in)
        return signed_in


def can_open_browser(environ: Mapping[str, str], platform: str) -> bool:
    """Return whether a browser that is opened here is one that the person sees."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return False
    return platform == "darwin" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_browser(address: str, environ: Mapping[str, str]) -> bool:
    """Begin to open an address in the person's browser; return False where there is none."""
    if not can_open_browser(environ, sys.platform):
        return False
    # In a process of its own: some browsers write to the terminal, some return when they end.
    with suppress(OSError):
        subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-P", "-m", "webbrowser", address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return True
    return False


async def _code(events: asyncio.Queue[Event], state: str, *, listening: bool) -> str:
    """Return the code that comes first, from the browser or from a person."""
    lines = LineInput(events.put_nowait)
    ask = PROMPT if lines.terminal else ""
    try:
        with lines.reading():
            show(ask)
            async with asyncio.timeout(TIME_LIMIT_S):
                while True:
                    event = await events.get()
                    code = _code_of(event, state, lines, listening=listening)
                    if code is not None:
                        return code
                    show("" if event is None else ask)
    except asyncio.CancelledError:  # Ctrl-C, which such a terminal does not show
        show("\n" if lines.terminal else "")
        raise
    except TimeoutError:
        raise CodexiaError(
            f"nobody logged in within {TIME_LIMIT_S / 60:.0f} minutes; run `codexia login` again"
        ) from None


def _code_of(event: Event, state: str, lines: LineInput, *, listening: bool) -> str | None:
    """Return the code that an event brings, None for one that brings none."""
    match event:
        case Redirected(code):
            show("\n" if lines.terminal else "")
            return code
        case LoginDeclined():
            show("\n" if lines.terminal else "")
            raise event
        case None:
            return _input_ended(lines, listening=listening)
        case str():
            return _code_of_line(event, state, lines)
        case _:
            assert_never(event)


def _code_of_line(line: str, state: str, lines: LineInput) -> str | None:
    if not line.strip():
        return None
    try:
        return code_of_redirect(line, state)
    except LoginDeclined:
        raise
    except RedirectRejected as error:
        if not lines.terminal:
            raise
        typer.echo(f"That was not it: {error.message}.")
        return None


def _input_ended(lines: LineInput, *, listening: bool) -> None:
    show("\n" if lines.terminal else "")
    if not listening:
        raise CodexiaError(
            "the input ended before a redirect address came; run `codexia login` again "
            "and paste the address that the browser ends on"
        )
    typer.echo("Nothing can be pasted any more; waiting for the browser on this machine.")


def _instructions(address: str, redirect: str, *, opened: bool, listening: bool) -> str:
    begin = (
        "A browser opens for the login. If it does not, open this address in one"
        if opened
        else "Open this address in a browser and log in"
    )
    where = redirect.partition("/auth")[0]
    if listening:
        end = (
            "On this machine that is all. A browser on another machine ends on a page that does "
            f"not load, at {where}/..."
        )
    else:
        ports = " and ".join(str(port) for port in CALLBACK_PORTS)
        end = (
            f"Other programs have the ports {ports}, so the browser cannot report back by itself. "
            f"It ends on a page at {where}/... that does not load, or is not ours."
        )
    paste = "Copy that whole address and paste it here."
    return f"{paragraph(begin)}:\n\n{address}\n\n{paragraph(end)}\n{paste}"


def _conclude(callback: Callback | None, outcome: SignedIn | CodexiaError) -> None:
    if callback is None:
        return
    if isinstance(outcome, CodexiaError):
        callback.conclude(failed(outcome.message))
        return
    email = claims_of(outcome.credentials.access_token).email
    callback.conclude(succeeded(f" as {email}" if email else ""))


def _tell_retry(reason: str) -> None:
    typer.echo(f"{reason}; trying again", err=True)
