"""The page that a browser shows at the end of a login."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from string import Template
from typing import Final

_HTML: Final = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Codexia: $title</title>
<style>
:root { color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif }
body { max-width: 34rem; margin: 18vh auto 0; padding: 0 1.5rem }
h1 { font-size: 1.7rem; margin: 0 0 .6rem }
h1::before { content: "$mark"; color: $colour; margin-right: .6rem }
</style>
<h1>$title</h1>
<p>$text</p>
</html>
""")


@dataclass(frozen=True, slots=True)
class Page:
    """A page and its HTTP status."""

    status: int
    html: str


def succeeded(who: str) -> Page:
    """Return the page of a login that is on disk.

    Args:
        who: e.g. ` as ada@example.com`, or "".
    """
    text = f"Codexia is logged in{who}. You can close this page and go back to your terminal."
    return _page(200, "Logged in", text)


def failed(reason: str) -> Page:
    """Return the page of a login that came to an end without success."""
    return _page(400, "The login failed", _sentence(reason))


def rejected(reason: str) -> Page:
    """Return the page of a request that is no end of the login."""
    return _page(400, "This did not log you in", _sentence(reason))


def _page(status: int, title: str, text: str) -> Page:
    mark, colour = ("\\2713", "#2a9d4a") if status == 200 else ("\\2717", "#d1453b")
    html = _HTML.substitute(title=title, text=escape(text), mark=mark, colour=colour)
    return Page(status, html)


def _sentence(reason: str) -> str:
    """Return a message of an error as a page says it."""
    sentence = reason[:1].upper() + reason[1:].replace("`", "")
    return sentence if sentence.endswith(".") else f"{sentence}."
