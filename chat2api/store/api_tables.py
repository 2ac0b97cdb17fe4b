"""The tables of the API itself: what callers asked to have kept. Times are epoch seconds."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from chat2api.store.columns import count_column as _count
from chat2api.store.columns import identity_column as _id
from chat2api.store.columns import metadata as metadata
from chat2api.store.columns import moment_column as _moment

# Answers of the Responses API. Each row holds one turn: its own input and its answer; what came before
# stands in the rows that `previous_id` leads to.
responses = Table(
    "responses",
    metadata,
    _id("response_id"),
    Column("owner", String(80), nullable=False),
    Column("previous_id", String(80)),
    _count("size"),  # bytes of the turn before it was packed
    _moment("created_at"),
    _moment("expires_at"),
    Column("content", Text, nullable=False),  # sealed
    # Who is to go is told from here alone: the rows themselves take up megabytes.
    Index(None, "expires_at", "response_id", "size"),
)

# In which turn an item of an answer stands: callers send its id in place of it.
response_items = Table(
    "response_items",
    metadata,
    Column("item_id", String(200), primary_key=True),
    Column(
        "response_id",
        String(80),
        ForeignKey("responses.response_id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    Column("position", Integer, nullable=False),  # among the items of the answer
)
