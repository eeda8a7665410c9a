"""What batches depend on, read from the parts of the supervisor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.models import ModelTable
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
    models: Callable[[], ModelTable]

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

    @property
    def overloaded_at(self) -> float:
        """When the newest request began that the backend was too busy for; 0.0 for none."""
        return self.account.overloaded_at

    def limited_until(self, model: str | None) -> float:
        """Return until when the plan refuses a model, or all if none is given; 0.0 for no such."""
        if not self.account.cooldowns:
            return 0.0
        return self.account.limited_until(self.models().resolve(model).id if model else "")

    def drains(self, generation: int) -> bool:
        """Return whether a generation gets no new items."""
        return generation < self.generations.drain_before
