"""What the login authority can be made to do wrong.

Over HTTP: `POST /simulator/oauth-faults` with `{"fault": {"kind": "slow", "ms": 500}, "count": 1}`;
the fault applies to the next token requests, `access_denied` to the next authorizations, and
those of device logins to the next codes or polls.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from codexia.simulator.faults import BadFault


class _OAuthFault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Status(_OAuthFault):
    """The authority itself fails."""

    kind: Literal["500", "502", "503"]


class Slow(_OAuthFault):
    """The answer takes its time."""

    kind: Literal["slow"]
    ms: Annotated[int, Field(ge=0, le=600_000)] = 1000


class Refused(_OAuthFault):
    """The grant is refused with that code, whatever was sent."""

    kind: Literal[
        "refresh_token_expired",
        "refresh_token_reused",
        "refresh_token_invalidated",
        "invalid_grant",
    ]
    status: Literal[400, 401] = 401


class Lost(_OAuthFault):
    """The tokens rotate, but the connection dies before the answer leaves."""

    kind: Literal["lost"]


class Partial(_OAuthFault):
    """The answer leaves these fields out; without a new refresh token the old one stays good."""

    kind: Literal["partial"]
    without: list[Literal["access_token", "refresh_token", "id_token", "expires_in"]] = [
        "refresh_token"
    ]


class AccessDenied(_OAuthFault):
    """The user says no in the browser."""

    kind: Literal["access_denied"]
    description: str = "missing_codex_entitlement"


class DeviceOff(_OAuthFault):
    """The account does not allow device codes."""

    kind: Literal["device_off"]


class DeviceHasty(_OAuthFault):
    """The device code expires soon, and says so."""

    kind: Literal["device_hasty"]
    expires_in_s: Annotated[float, Field(gt=0, le=900)] = 1


class DevicePoll(_OAuthFault):
    """A poll gets this instead of its answer."""

    kind: Literal["slow_down", "device_code_expired", "device_access_denied"]


DeviceFault = DeviceOff | DeviceHasty | DevicePoll
TokenFault = Status | Slow | Refused | Lost | Partial
OAuthFault = TokenFault | AccessDenied | DeviceFault

_FAULT: TypeAdapter[OAuthFault] = TypeAdapter(Annotated[OAuthFault, Field(discriminator="kind")])


def parse_oauth_fault(fault: dict[str, Any]) -> OAuthFault:
    """Return the fault that an object names.

    Raises:
        BadFault: if there is none of that name, or a parameter is wrong.
    """
    try:
        return _FAULT.validate_python(fault)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = [str(step) for step in problem["loc"][1:]]
        raise BadFault(": ".join(["bad oauth fault", *where, problem["msg"]])) from error
