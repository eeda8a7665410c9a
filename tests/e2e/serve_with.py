"""`codexia serve` with other constants: `python serve_with.py MODULE.NAME=VALUE ... -- FLAGS`.

What takes a minute in life takes a moment in a test.
"""

from __future__ import annotations

import importlib
import sys

from codexia.cli import main


def run() -> None:
    changes, flags = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    for change in changes:
        place, _, value = change.partition("=")
        module, _, name = place.rpartition(".")
        loaded = importlib.import_module(module)
        assert hasattr(loaded, name), place
        setattr(loaded, name, float(value))
    sys.argv = ["codexia", "serve", *flags]
    main()


if __name__ == "__main__":
    run()
