"""The tables of batches: uploaded files, batches and their items."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from codexia_supervisor.tables import BIG, METADATA

BATCHES: Final = Table(
    "batches",
    METADATA,
    Column("number", BIG, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("key_name", String(64), nullable=False),
    Column("dialect", String(16), nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("model", Text),
    Column("state", String(16), nullable=False, index=True),
    Column("total", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False),
    Column("errored", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("cancel_initiated_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("archived_at", BigInteger),
    Column("input_file_id", String(64)),
    Column("output_file_id", String(64)),
    Column("error_file_id", String(64)),
    Column("output_bytes", BigInteger, nullable=False),
    Column("error_bytes", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("batch_metadata", Text),
    Column("problems", Text),
    Column("has_items", Boolean, nullable=False),
    Index("batches_by_key", "key_name", "dialect", "number"),
)
"""Batches; `number` grows with time. `model` is there if all items ask for one. `output_bytes` and `error_bytes` are the sizes of the files
that an OpenAI batch makes of its results. `has_items` is false once there are no rows of items."""

BATCH_ITEMS: Final = Table(
    "batch_items",
    METADATA,
    Column("number", BIG, primary_key=True, autoincrement=True),
    Column("batch", BIG, ForeignKey(BATCHES.c.number), nullable=False),
    Column("custom_id", Text, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("cause", String(64), nullable=False),
    Column("status", Integer),
    Column("request_id", String(128)),
    Column("body", LargeBinary),
    Index("batch_items_in_order", "batch", "number"),
)
"""Items of batches in their order. Where the request is in the content of the batch is `start`
and `length`. `attempts` were made and failed, the last of them by `cause`; there is no other
before `not_before`. `body` is the outcome, compressed."""

FILES: Final = Table(
    "files",
    METADATA,
    Column("number", BIG, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("key_name", String(64), nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("batch", BIG, ForeignKey(BATCHES.c.number)),
    Index("files_by_key", "key_name", "number"),
)
"""Files of clients. One with a `batch` has no content of its own: it is that batch's results."""

TABLES: Final = (BATCHES, BATCH_ITEMS, FILES)
