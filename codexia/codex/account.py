"""Whose login it is, as the backend's two account endpoints tell it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from codexia.codex.payload import child_at, children_at, text_at

if TYPE_CHECKING:
    from codexia.codex.payload import Json


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of an account; None where nobody said.

    Attributes:
        subscription_expires_at: a date with its time, as the backend writes it.
    """

    name: str | None = None
    email: str | None = field(default=None, repr=False)
    structure: str | None = None
    plan: str | None = None
    has_active_subscription: bool | None = None
    subscription_expires_at: str | None = None

    def completed(self, other: Account) -> Account:
        """Return the account with its gaps filled in from another account of it."""
        values = {
            each.name: getattr(other, each.name)
            if getattr(self, each.name) is None
            else getattr(self, each.name)
            for each in fields(self)
        }
        return Account(**values)

    @classmethod
    def of_check(cls, reply: Json, account_id: str) -> Account | None:
        """Return the account that `/accounts/check/v4` tells of, None where it tells of none.

        It has the subscription. Accounts stand under their ids, the login's own under
        `default` too.
        """
        accounts = child_at(reply, "accounts")
        entry = child_at(accounts, account_id) or child_at(accounts, "default")
        if not entry:
            return None
        account, entitlement = child_at(entry, "account"), child_at(entry, "entitlement")
        active = entitlement.get("has_active_subscription")
        plan = text_at(entitlement, "subscription_plan") or text_at(account, "plan_type")
        return cls(
            text_at(account, "name") or None,
            text_at(entry, "email") or text_at(account, "email") or None,
            text_at(account, "structure") or None,
            plan or None,
            active if isinstance(active, bool) else None,
            text_at(entitlement, "expires_at") or None,
        )

    @classmethod
    def of_list(cls, reply: Json, account_id: str) -> Account | None:
        """Return the account that `/wham/accounts/check` tells of, None where it tells of none."""
        accounts = {text_at(each, "id"): each for each in children_at(reply, "accounts")}
        entry = accounts.get(account_id) or accounts.get(text_at(reply, "default_account_id"))
        if not entry:
            return None
        return cls(
            text_at(entry, "name") or None,
            text_at(entry, "email") or None,
            text_at(entry, "structure") or None,
            text_at(entry, "plan_type") or None,
        )
