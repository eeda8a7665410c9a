"""A Codex backend and its login authority on loopback, for demo, tests and benchmark.

```python
async with Simulator() as simulator:
    credentials = simulator.issue_credentials()  # what the gateway keeps in auth.json
    ...                                          # point it at simulator.base_url and .issuer
    assert simulator.stats.violation_count == 0
```

It has no model. `reply` says what it answers, `directives` what a prompt can ask for,
`rules*` what it refuses, `faults` what it can break, `control_routes` how other processes
steer and read it.
"""

from codexia.simulator.faults import BadFault
from codexia.simulator.generate import stream_text
from codexia.simulator.schema_instance import minimal_instance
from codexia.simulator.server import Simulator, run
from codexia.simulator.settings import Settings

__all__ = ["BadFault", "Settings", "Simulator", "minimal_instance", "run", "stream_text"]
