"""What batches depend on, read from the parts of the supervisor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codexia_supervisor.account import Account
    from codexia_supervisor.generations import Generations
    from codexia_supervisor.live_config import LiveConfig
    from codexia_supervisor.login_keeper import LoginKeeper


@dataclass(frozen=True, slots=True)
class LiveConditions:
    """The `Conditions` of a running supervisor."""

    config: LiveConfig
    login: LoginKeeper
    account: Account
    generations: Generations

    @property
    def concurrency(self) -> int:
        """As many items may run."""
        return self.config.settings.batch_concurrency

    @property
    def login_hint(self) -> str:
        """Why there is no usable login, "" when there is one."""
        return self.login.hint

    @property
    def workers(self) -> int:
        """How many workers there are, connected or not."""
        return sum(each.workers for each in self.generations.statuses())

    def limited_until(self) -> float:
        """Return until when the plan lets nothing through, 0.0 when it does."""
        return self.account.limited_until(self.config.settings.model_fallback)

    def drains(self, generation: int) -> bool:
        """Return whether a generation gets no new items."""
        return generation < self.generations.drain_before
