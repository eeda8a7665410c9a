"""All checks, in the order in which a person should read them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from codexia.doctor.clients import check_clients
from codexia.doctor.configuration import check_configuration
from codexia.doctor.gateway import (
    check_gateway,
    check_port,
    check_problems,
    check_sockets,
    check_workers,
)
from codexia.doctor.host import check_disk, check_locks, check_open_files, check_versions
from codexia.doctor.login import check_login
from codexia.doctor.network import check_network
from codexia.doctor.private_files import check_files
from codexia.doctor.service import check_service
from codexia.doctor.subject import subject_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.doctor.finding import Finding
    from codexia.doctor.subject import Subject
    from codexia.paths import Home

CHECKS: Final[tuple[Callable[[Subject], list[Finding]], ...]] = (
    check_login,
    check_configuration,
    check_files,
    check_gateway,
    check_workers,
    check_port,
    check_problems,
    check_sockets,
    check_service,
    check_locks,
    check_disk,
    check_open_files,
    check_versions,
    check_clients,
)


async def examine(home: Home) -> list[Finding]:
    """Return the findings about a home, its gateway and its surroundings."""
    subject = await asyncio.to_thread(subject_of, home)
    here, network = await asyncio.gather(
        asyncio.to_thread(lambda: [each for check in CHECKS for each in check(subject)]),
        check_network(subject),
    )
    return [*here, *network]
