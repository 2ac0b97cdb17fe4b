"""The tables of the operator's desk: requests, usage, histories, jobs, and what rests between two steps.

Times are epoch seconds, as in `store.tables`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from chat2api.store.columns import LONG_ID as _LONG_ID
from chat2api.store.columns import count_column as _count
from chat2api.store.columns import flag_column as _flag
from chat2api.store.columns import hash_column as _hash
from chat2api.store.columns import identity_column as _id
from chat2api.store.columns import metadata as metadata
from chat2api.store.columns import moment_column as _moment
from chat2api.store.columns import short_column as _short
from chat2api.store.columns import text_column as _text
from chat2api.store.columns import time_column as _time

# --- what happened, for people to look at; written in batches, kept for a while

# One row a request of the API. No text of prompts or answers but where content logging is switched on.
requests = Table(
    "requests",
    metadata,
    Column("record_id", _LONG_ID, primary_key=True, autoincrement=True),
    Column("request_id", String(80), nullable=False, index=True),
    _moment("at"),
    _moment("seconds"),
    Column("first_byte_seconds", Float(53)),
    _count("status"),
    _flag("failed"),
    _short("code"),  # of the error; empty: none
    _short("path"),
    _short("model"),  # as asked for
    _short("answered_by"),
    _short("provider"),
    _short("key_id"),  # of a key of ours; direct | anonymous otherwise
    _short("account_id"),  # of the attempt that counted
    _count("attempts"),
    _flag("stream"),
    _count("prompt_tokens"),
    _count("completion_tokens"),
    _flag("estimated"),
    _short("address"),
    _text("trace", "{}"),
    Column("content", Text),  # sealed
    Index(None, "at"),
    Index(None, "failed", "record_id"),
    Index(None, "code", "record_id"),
    Index(None, "model", "record_id"),
    Index(None, "key_id", "record_id"),
    Index(None, "account_id", "record_id"),
)

# Sums by the hour: of everything ("all"), and by model, key, account and error code.
usage_hours = Table(
    "usage_hours",
    metadata,
    Column("dimension", String(20), primary_key=True),
    Column("hour", Integer, primary_key=True),  # since the epoch
    Column("value", String(200), primary_key=True),
    _count("requests"),
    _count("failed"),
    Column("prompt_tokens", BigInteger, nullable=False, server_default="0"),
    Column("completion_tokens", BigInteger, nullable=False, server_default="0"),
    _count("estimated"),
    sqlite_with_rowid=False,
)

# How long callers waited for the first byte: how many requests fell into which step of a scale.
latency_hours = Table(
    "latency_hours",
    metadata,
    Column("hour", Integer, primary_key=True),
    Column("step", Integer, primary_key=True),
    _count("requests"),
    sqlite_with_rowid=False,
)

# Attempts on an account in five minutes.
account_heat = Table(
    "account_heat",
    metadata,
    Column("account_id", String(80), primary_key=True),
    Column("slot", Integer, primary_key=True),  # of 300 s, since the epoch
    _count("good"),
    _count("bad"),
    Index(None, "slot"),
    sqlite_with_rowid=False,
)

# The history of an account: limited, renewed, checked, changed, by whom.
account_events = Table(
    "account_events",
    metadata,
    Column("event_id", _LONG_ID, primary_key=True, autoincrement=True),
    Column("account_id", String(80), nullable=False),
    _moment("at"),
    _short("kind"),
    _short("actor"),
    _short("request_id"),
    _text("detail", "{}"),
    Index(None, "account_id", "event_id"),
    Index(None, "at"),
)

# --- work that people start and watch

jobs = Table(
    "jobs",
    metadata,
    _id("job_id"),
    _short("kind"),
    _short("actor"),
    _text("arguments", "{}"),
    Column("state", String(20), nullable=False, server_default="waiting"),
    _count("total"),
    _count("ok"),  # how its items ended, counted with each
    _count("failed"),
    _count("skipped"),
    _flag("cancelled"),  # somebody asked for it; the state follows
    _text("message"),
    _moment("created_at"),
    _time("started_at"),
    _time("ended_at"),
    Column("owner", String(80)),
    _moment("lease_until"),
    Index(None, "state"),
    Index(None, "created_at"),
)

job_items = Table(
    "job_items",
    metadata,
    Column("job_id", String(80), ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    _short("target"),
    _text("label"),
    Column("state", String(20), nullable=False, server_default="waiting"),
    _text("detail"),
    Index(None, "job_id", "state", "position"),
)

# Things that rest for a few minutes between two steps of one person: an import that was looked at, an
# export to be fetched once. Sealed; known by the hash of a ticket.
parcels = Table(
    "parcels",
    metadata,
    Column("ticket_hash", String(64), primary_key=True),
    _short("kind"),
    _short("owner"),  # the session that may open it
    _text("facts", "{}"),
    Column("content", Text, nullable=False),
    _moment("expires_at"),
    Index(None, "expires_at"),
)

# Logins at the upstream's login server that a person is asked to finish in their browser.
logins = Table(
    "logins",
    metadata,
    _id("login_id"),
    _short("kind"),  # device | browser
    Column("state", String(20), nullable=False, server_default="waiting"),
    _short("actor"),
    _short("account_id"),  # whose login it is to be; empty: anybody's
    _short("user_code"),
    _text("address"),  # where the person goes
    Column("secret", Text),  # sealed: what the login server gave to poll with, or the verifier
    _hash("state_hash"),  # of the state parameter that comes back with the code
    _moment("interval_seconds"),
    _moment("next_poll_at"),
    _moment("created_at"),
    _moment("expires_at"),
    _moment("seen_at"),  # when somebody last looked at its page: asking rests while nobody does
    _time("ended_at"),
    _text("result", "{}"),
    Column("owner", String(80)),
    _moment("lease_until"),
    Index(None, "state", "next_poll_at"),
)

# What the operator wants to hear of later.
reminders = Table("reminders", metadata, _id("name"), _moment("until"))
