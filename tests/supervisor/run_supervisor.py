"""A supervisor whose generations are stand-ins.

`run_supervisor.py HOME [--replace] [--cgroup=FILE] [--version=V] [--start-timeout=S] [KEY=VALUE ...]`
"""

import sys
from pathlib import Path

from codexia import __version__
from codexia.paths import Home
from codexia_supervisor import plan, service_manager, supervisor
from codexia_supervisor.serve import run

if __name__ == "__main__":
    home, *arguments = sys.argv[1:]
    given = dict(argument.partition("=")[::2] for argument in arguments)
    replace = "--replace" in given
    cgroup = given.get("--cgroup")
    if cgroup is not None:
        service_manager.OWN_CGROUP = Path(cgroup)
    supervisor.__version__ = given.get("--version", __version__)
    plan.START_TIMEOUT_S = float(given.get("--start-timeout", plan.START_TIMEOUT_S))
    flags = {key: value for key, value in given.items() if not key.startswith("--")}
    command = (sys.executable, str(Path(__file__).with_name("stand_in.py")))
    sys.exit(
        run({"log_level": "info", **flags}, Home(Path(home)), replace=replace, command=command)
    )
