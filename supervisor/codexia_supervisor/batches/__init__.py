"""The durable queue of batches: what it promises is in `states.py`, what it keeps in `tables.py`."""
