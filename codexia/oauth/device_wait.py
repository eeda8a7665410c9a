"""Waiting for a person to approve a device code."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from codexia.oauth.device import DeviceGrant, Wait, expired
from codexia.oauth.replies import AuthorityUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.oauth.client import AuthorityClient
    from codexia.oauth.device import DeviceCode

TICK_S: Final = 1.0


async def wait_for_approval(
    authority: AuthorityClient, code: DeviceCode, tick: Callable[[float], None]
) -> DeviceGrant:
    """Return the grant of a code once a person approved it.

    A poll that fails is no more than a poll that is repeated: the approval stays.

    Args:
        authority: where it was begun.
        code: what the person was shown.
        tick: called every second with the seconds that are left.

    Raises:
        DeviceLoginFailed: it was declined, or not approved in time.
    """
    begun = time.monotonic()
    deadline, interval_s, poll_at = begun + code.lifetime_s, code.interval_s, begun
    while (now := time.monotonic()) < deadline:
        tick(deadline - now)
        if now < poll_at:
            await asyncio.sleep(min(TICK_S, poll_at - now, deadline - now))
            continue
        match await _poll(authority, code):
            case DeviceGrant() as grant:
                return grant
            case Wait(longer_s):
                interval_s += longer_s
        poll_at = time.monotonic() + interval_s
    raise expired()


async def _poll(authority: AuthorityClient, code: DeviceCode) -> DeviceGrant | Wait:
    try:
        return await authority.poll_device(code)
    except AuthorityUnavailable:
        return Wait()
