"""A supervisor whose generations are stand-ins: `run_supervisor.py HOME [KEY=VALUE ...]`."""

import sys
from pathlib import Path

from codexia.paths import Home
from codexia_supervisor.serve import run

if __name__ == "__main__":
    flags = dict(argument.split("=", 1) for argument in sys.argv[2:])
    command = (sys.executable, str(Path(__file__).with_name("stand_in.py")))
    sys.exit(run({"log_level": "info", **flags}, Home(Path(sys.argv[1])), command=command))
