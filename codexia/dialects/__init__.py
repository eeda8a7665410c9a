"""The three wire dialects: pure translation, no I/O.

For each dialect a request module turns a client's body into a `CodexRequest`, and a stream
module turns the backend's events into the client's. `dialect` has the types that the
workers drive them by.
"""
