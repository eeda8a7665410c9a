"""The Codex backend: the one place that knows its addresses, headers, fields and codes.

- `request`: what a translator hands over, and the body that the backend takes
- `upstream`: addresses, identity and headers
- `events`: the names of its stream events
- `failures`: its error replies and error events as Codexia's errors
- `usage`: its token counts
- `payload`: reading what it sends without trusting the types

Nothing here does I/O.
"""
