"""The tables of state.db that everything else refers to, and those of stored responses."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

METADATA: Final = MetaData()

BIG: Final = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only by INTEGER

SCHEMA_VERSION: Final = Table(
    "schema_version", METADATA, Column("version", Integer, nullable=False)
)

RESPONSES: Final = Table(
    "responses",
    METADATA,
    Column("number", BIG, primary_key=True, autoincrement=True),
    Column("key_name", String(64), nullable=False),
    Column("response_id", String(160), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    UniqueConstraint("key_name", "response_id"),
    Index("responses_by_age", "created_at"),
)
"""Stored responses; `number` grows with time, `content` is compressed, `size_bytes` its size."""

ITEMS: Final = Table(
    "items",
    METADATA,
    Column("response", BIG, ForeignKey(RESPONSES.c.number, ondelete="CASCADE"), primary_key=True),
    Column("item_id", String(160), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Index("items_by_id", "item_id"),
)
"""Output items of stored responses, compressed; they go when their response goes."""
