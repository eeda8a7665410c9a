"""Start, restart and stop: what the service manager does, and what our supervisor says to it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codexia.account import AccountStatus
from codexia.config import read_config_file, resolve
from codexia.control import HandoverRequest
from codexia.control_client import ControlClient
from codexia.daemon.error import DaemonError
from codexia.daemon.leftovers import end_leftovers
from codexia.daemon.program import HOME_VARIABLE
from codexia.daemon.tools import ask
from codexia.errors import NotFound, SupervisorUnavailable
from codexia.paths import Home

if TYPE_CHECKING:
    from codexia.control import SupervisorStatus
    from codexia.daemon.service import ServiceManager, ServiceState

START_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.1
ACCOUNT_TIMEOUT_S: Final = 30.0
"""The gateway may ask the backend first, and refresh the login for that."""


def home_of(manager: ServiceManager) -> Home:
    """Return the daemon's home, which may be another than this shell's."""
    configured = manager.environment().get(HOME_VARIABLE)
    return Home(Path(configured)) if configured else Home.from_environment()


def supervisor_of(home: Home) -> SupervisorStatus | None:
    """Return what the supervisor of a home says of itself, None if none answers."""
    try:
        return ControlClient(home.control_socket).status()
    except SupervisorUnavailable:
        return None


def account_of(home: Home) -> AccountStatus | None:
    """Return what the gateway of a home knows of login and plan, None if it does not tell."""
    try:
        answer = ControlClient(home.control_socket, ACCOUNT_TIMEOUT_S).call("GET", "/account")
    except (NotFound, SupervisorUnavailable):
        return None
    return AccountStatus.model_validate(answer)


def start(manager: ServiceManager) -> tuple[SupervisorStatus, bool]:
    """Start the daemon unless it runs; return its status, and whether it had to be started.

    Raises:
        DaemonError: it is not installed, something else serves its home, or it did not come up.
        ConfigError: it would refuse its settings.
    """
    before = _installed(manager)
    home = home_of(manager)
    _check_settings(manager, home)
    running = _check_ownership(manager, home, before)
    if running and before.activity == "active":
        return running, False
    if before.activity != "activating":
        manager.start()
    return _wait_until_serving(manager, home, before), True


def restart(manager: ServiceManager, *, rewritten: bool = False) -> SupervisorStatus:
    """Have another supervisor take over, without an end of any stream; return its status.

    Raises:
        DaemonError: as `start`.
        ConfigError: it would refuse its settings; the daemon runs on as it was.
    """
    before = _installed(manager)
    home = home_of(manager)
    _check_settings(manager, home)
    if _check_ownership(manager, home, before):
        announce_handover(home)
    manager.restart(rewritten=rewritten)
    return _wait_until_serving(manager, home, before)


def announce_handover(home: Home) -> None:
    """Tell the supervisor that its next end leaves the generations to a successor."""
    try:
        ControlClient(home.control_socket).call("POST", "/handover", HandoverRequest())
    except (NotFound, SupervisorUnavailable):
        return  # none that could: the restart is then a stop and a start


def stop(manager: ServiceManager) -> bool:
    """Stop the daemon and everything it started; return whether anything ran."""
    if not manager.state().installed:
        return False
    home = home_of(manager)
    ran = manager.state().pid is not None
    manager.stop()
    # With a supervisor there, another one serves this home in the foreground.
    left = 0 if supervisor_of(home) else end_leftovers(home)
    return ran or left > 0


def last_error(manager: ServiceManager) -> str:
    """Return the last error that the daemon's log tells of, "" if none of the last lines does."""
    try:
        lines = ask(*manager.log_command(20, follow=False)).stdout.splitlines()
    except DaemonError:
        return ""
    told = (line.partition("error: ")[2] for line in reversed(lines))
    return next((each for each in told if each), "")


def _installed(manager: ServiceManager) -> ServiceState:
    state = manager.state()
    if not state.installed:
        raise DaemonError("the daemon is not installed; run `codexia daemon install`")
    return state


def _check_settings(manager: ServiceManager, home: Home) -> None:
    resolve({}, manager.environment(), read_config_file(home.config_file), home.config_file)


def _check_ownership(
    manager: ServiceManager, home: Home, state: ServiceState
) -> SupervisorStatus | None:
    """Return the status of the daemon's own supervisor, None if none runs."""
    running = supervisor_of(home)
    if running and running.pid != state.pid:
        raise DaemonError(
            f"`codexia serve` runs for {home.root} as process {running.pid}, not under "
            f"{manager.name}; end it (Ctrl-C where it runs) and try again"
        )
    return running


def _wait_until_serving(
    manager: ServiceManager, home: Home, before: ServiceState
) -> SupervisorStatus:
    deadline = time.monotonic() + START_TIMEOUT_S
    running = None
    while time.monotonic() < deadline:
        state = manager.state()
        running = supervisor_of(home)
        new = running and running.pid != before.pid and state.activity in {"active", "reloading"}
        if running and new and any(each.state == "ready" for each in running.generations):
            return running
        if state.run != before.run and state.failure:
            reason = last_error(manager) or state.failure
            raise DaemonError(f"the daemon did not come up: {reason}; see `codexia daemon logs`")
        time.sleep(POLL_S)
    problem = f" ({running.problems[0]})" if running and running.problems else ""
    raise DaemonError(
        f"the daemon does not serve yet after {START_TIMEOUT_S:.0f} s{problem}; "
        "see `codexia daemon logs`"
    )
