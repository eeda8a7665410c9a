"""`codexia serve`: from flags to an exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

import uvloop

from codexia.core_dumps import forbid_core_dumps
from codexia.errors import CodexiaError, ConfigError
from codexia.log_format import adjust_logging, set_up_logging
from codexia_supervisor.generations import COMMAND
from codexia_supervisor.listener import BindFailed
from codexia_supervisor.live_config import LiveConfig
from codexia_supervisor.lock import InstanceLock
from codexia_supervisor.notify import Notifier
from codexia_supervisor.service_manager import restart_is_under_way
from codexia_supervisor.supervisor import Supervisor
from codexia_supervisor.takeover import take_over

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codexia.paths import Home
    from codexia_supervisor.ending import Ending

logger = logging.getLogger("codexia.supervisor")

FAILED: Final = 1


def run(
    flags: Mapping[str, Any],
    home: Home,
    *,
    replace: bool = False,
    on_listening: Callable[[str], None] | None = None,
    command: Sequence[str] = COMMAND,
) -> int:
    """Serve until a signal or a control call ends it, and return the exit code.

    It is 0 after an orderly end or a hand-over, 78 (EX_CONFIG) when the settings are wrong, and 1 when the
    address is taken or another supervisor has this home.

    Args:
        flags: settings given on the command line, by key; None values do not count.
        home: the Codexia home.
        replace: whether to take over from the supervisor that runs in this home, if one does.
        on_listening: called with the gateway's URL once it serves, and whenever that changes;
            by default a line on standard output says it.
        command: what a generation of workers is started with.
    """
    os.umask(0o077)
    forbid_core_dumps()
    notifier = Notifier(os.environ)
    set_up_logging("warning", "text")
    try:
        home.create()
        config = LiveConfig(home.config_file, flags, os.environ)
        adjust_logging(config.settings.log_level, config.settings.log_format)
        lock = take_over(home) if replace else InstanceLock(home.lock_file)
        for path in home.hide_files():
            logger.warning("other users of this host had access to %s", path)
    except ConfigError as error:
        _complain(error.message)
        return os.EX_CONFIG
    except CodexiaError as error:
        _complain(error.message)
        return FAILED
    except OSError as error:
        _complain(f"{error.filename or home.root}: {error.strerror or error}")
        return FAILED
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(home, config, on_listening or _announce, command, notifier))
    finally:
        lock.release()
        home.remove_socket_dir()


async def _serve(
    home: Home,
    config: LiveConfig,
    on_listening: Callable[[str], None],
    command: Sequence[str],
    notifier: Notifier,
) -> int:
    def listening(url: str) -> None:
        on_listening(url)
        notifier.ready(f"serving on {url}")

    async def restarted() -> bool:
        return notifier.managed and await restart_is_under_way(os.environ)

    supervisor = Supervisor(home, config, listening, restarted, command)
    _handle_signals(supervisor, notifier)
    async with asyncio.TaskGroup() as group:
        watched = group.create_task(notifier.watch())
        try:
            await supervisor.prepare()
        except BindFailed as error:
            _complain(error.message)
            watched.cancel()
            return FAILED
        if supervisor.login_hint:
            sys.stderr.write(f"{supervisor.login_hint}\n")
        leaving = group.create_task(_tell_of_the_end(supervisor.ending, notifier))
        await supervisor.run()
        watched.cancel()
        leaving.cancel()
    return 0


def _handle_signals(supervisor: Supervisor, notifier: Notifier) -> None:
    def reload() -> None:
        with notifier.reloading():
            supervisor.reload()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, supervisor.ending.on_signal)
    # A terminal that closes hangs up; a daemon has none, and there it means to read anew.
    loop.add_signal_handler(
        signal.SIGHUP, supervisor.ending.on_signal if sys.stderr.isatty() else reload
    )


async def _tell_of_the_end(ending: Ending, notifier: Notifier) -> None:
    await ending.begun.wait()
    notifier.stopping("handing over" if ending.handing_over else "finishing open streams")
    await notifier.extend()


def _announce(url: str) -> None:
    sys.stdout.write(f"listening on {url}\n")
    sys.stdout.flush()


def _complain(message: str) -> None:
    sys.stderr.write(f"error: {message}\n")
