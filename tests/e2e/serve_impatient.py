"""`codexia serve` whose workers wait only moments for the head of a request.

They never look for cyclic garbage, so what hangs on some is never dropped.
"""

from __future__ import annotations

import sys

from codexia.paths import Home
from codexia_supervisor.serve import run

HEAD_TIMEOUT_MS = 1000

GENERATION = f"""
import codexia_workers.server
from codexia_workers.__main__ import main
if __name__ == "__main__":
    codexia_workers.server.HEAD_TIMEOUT_MS = {HEAD_TIMEOUT_MS}
    codexia_workers.server.GC_THRESHOLDS = (0,)
    main()
"""

if __name__ == "__main__":
    flags = {"bind_host": "127.0.0.1", "bind_port": 0, "workers": 1}
    sys.exit(run(flags, Home.from_environment(), command=(sys.executable, "-c", GENERATION)))
