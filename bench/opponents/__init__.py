"""Other gateways that translate, each started against the same simulator as Codexia.

One module for each says where it is installed from, how it is started, and what it serves.
None is imported, and none is needed: `bench.install_opponents` installs them, and whichever is
not there is left out by name.
"""

from bench.opponents.running import InstalledOpponent, find

__all__ = ["InstalledOpponent", "find"]
