"""A program: refresh a login again and again, until a file exists.

hammer.py AUTH_FILE ISSUER STOP_FILE
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from codexia.oauth.client import AuthorityClient
from codexia.oauth.credentials import read_credentials
from codexia.oauth.renewal import renew


def main(auth_file: Path, issuer: str, stop: Path) -> None:
    authority = AuthorityClient(issuer, "hammer")
    while not stop.exists():
        known = read_credentials(auth_file)
        assert known
        renewed = asyncio.run(renew(auth_file, known, authority))
        assert renewed
        assert renewed.refresh_token != known.refresh_token


main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
