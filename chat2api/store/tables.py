"""The tables of the pool and of access. Secrets are ciphertext of `store.vault`, looked up by its keyed hashes.

Times are epoch seconds as floats, so that SQLite and PostgreSQL compare them alike.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from chat2api.store.columns import count_column as _count
from chat2api.store.columns import flag_column as _flag
from chat2api.store.columns import hash_column as _hash
from chat2api.store.columns import identity_column as _id
from chat2api.store.columns import metadata as metadata
from chat2api.store.columns import moment_column as _moment
from chat2api.store.columns import text_column as _text
from chat2api.store.columns import time_column as _time

# Single facts: a check of the encryption key, the pepper of hashes, what was imported.
meta = Table("meta", metadata, _id("name"), _text("value"))

# Tokens and their renewal, of accounts and of refresh tokens that callers bring.
credentials = Table(
    "credentials",
    metadata,
    _id("credential_id"),
    _text("owner", "account"),  # account | bearer
    Column("access_token", Text),
    _time("expires_at"),
    Column("refresh_token", Text),
    _hash("refresh_hash"),
    Column("previous_refresh_token", Text),
    Column("id_token", Text),
    _text("client_id"),
    _count("version", 1),
    _time("refreshed_at"),
    _time("next_refresh_at"),  # null: nothing to do
    _count("fence"),
    Column("refresh_owner", String(80)),
    _moment("refresh_until"),
    _time("sent_at"),  # set while an exchange is under way
    _count("failures"),
    _text("refresh_error"),
    _time("refresh_error_at"),
    _hash("dead_hash"),  # of the refresh token that was refused for good
    _moment("created_at"),
    _time("used_at"),
    Index(None, "next_refresh_at"),
    # Whose tokens end, out of thousands of rows that are full of tokens.
    Index("ix_credentials_ending", "expires_at", "refresh_hash", "dead_hash", "credential_id"),
)

# Every refresh token that was ever ours: one that was spent is recognised when it is handed in again.
known_tokens = Table(
    "known_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column(
        "credential_id",
        String(80),
        ForeignKey("credentials.credential_id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    _moment("seen_at"),
)

accounts = Table(
    "accounts",
    metadata,
    _id("account_id"),
    Column("identity", String(80), nullable=False, unique=True),
    _text("provider", "chatgpt"),
    _text("kind", "web"),
    Column(
        "credential_id",
        String(80),
        ForeignKey("credentials.credential_id"),
        nullable=False,
        index=True,
    ),
    _text("label"),
    _text("plan"),
    _text("user_id"),
    Column("workspace_id", String(64)),
    _text("note"),
    _text("source"),
    _hash("source_hash"),  # of the source's words for it, so that only an edit there counts
    Column("proxy", Text),
    _text("look", "{}"),
    _count("position"),
    _flag("pooled", default=True),
    _flag("paused"),
    _time("removed_at"),
    # --- standing
    _flag("needs_login"),
    _text("reason"),
    _time("reason_at"),
    _moment("cooling_until"),
    _flag("limited"),
    _moment("resting_until"),
    _count("strikes"),
    # --- picking: derived from the above, so that an index finds the next account
    _flag("selectable", default=True),
    _time("wake_at"),
    _count("running"),
    Column("turn", BigInteger, nullable=False, server_default="0"),
    _moment("dice"),
    _time("last_used_at"),
    _moment("created_at"),
    # --- what people see and set
    _time("checked_at"),  # when the upstream was asked last how it stands
    _text("quota", "{}"),  # what it said is left
    Column("concurrency", Integer),  # null: as the settings say
    _hash("proxy_hash"),  # by which accounts on one proxy are found
    _count("revision"),  # grows with every change by a person
    Index("ix_accounts_by_turn", "provider", "selectable", "turn"),
    Index("ix_accounts_by_dice", "provider", "selectable", "dice"),
    Index(None, "turn"),
    Index(None, "wake_at"),
)

# Limits that touch one model (or family of models) of an account.
account_limits = Table(
    "account_limits",
    metadata,
    Column(
        "account_id",
        String(80),
        ForeignKey("accounts.account_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("limit_key", String(200), primary_key=True),
    _moment("until"),
)

# Server processes that hold leases; one that stops renewing its row has lost them.
workers = Table(
    "workers",
    metadata,
    _id("worker_id"),
    _text("place"),  # where its pid means something: host and pid namespace
    _count("pid"),
    _text("birth"),  # when that process began, by the kernel; a pid is used again
    _moment("started_at"),
    _moment("expires_at"),
)

leases = Table(
    "leases",
    metadata,
    _id("lease_id"),
    Column("account_id", String(80), nullable=False),
    Column("worker_id", String(80), nullable=False),
    _moment("began_at"),
    # There are never more rows than turns that run: one tree, and no index to keep up.
    sqlite_with_rowid=False,
)

# Which account holds a conversation.
conversations = Table(
    "conversations",
    metadata,
    _id("conversation_id"),
    Column("account_id", String(80), nullable=False, index=True),
    _moment("seen_at"),
    Index(None, "seen_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id("key_id"),
    Column("key_hash", String(64), nullable=False, unique=True),
    _text("kind", "named"),  # first | named
    _text("label"),
    _text("hint"),
    _text("scopes"),  # separated by blanks; empty: all
    _text("models"),  # one a line; empty: all
    _time("expires_at"),
    Column("requests_per_minute", Integer),
    Column("daily_tokens", BigInteger),
    _moment("created_at"),
    _time("revoked_at"),
    _time("last_used_at"),
)

# What a key has used in a window of time, and what is set aside for requests that still run.
key_usage = Table(
    "key_usage",
    metadata,
    Column("key_id", String(80), primary_key=True),
    Column("bucket", String(40), primary_key=True),  # minute:…, day:…, or hold:… for what runs
    Column("used", BigInteger, nullable=False, server_default="0"),
    Column("reserved", BigInteger, nullable=False, server_default="0"),
    _moment("ends_at"),
    Index(None, "ends_at"),
)

# Sessions of people; the ticket in the cookie is known by its hash only.
sessions = Table(
    "sessions",
    metadata,
    Column("ticket_hash", String(64), primary_key=True),
    _text("kind", "admin"),
    _text("subject"),
    _text("csrf"),
    _hash("secret_hash"),  # of the secret that opened it; ends with that secret
    _text("address"),
    _moment("created_at"),
    _moment("seen_at"),
    _moment("expires_at"),
    Index(None, "expires_at"),
)

login_failures = Table(
    "login_failures",
    metadata,
    _id("bucket"),
    _count("failures"),
    _moment("first_at"),
    _moment("blocked_until"),
)

# Who changed what. Only ever added to.
audit = Table(
    "audit",
    metadata,
    Column("entry_id", Integer, primary_key=True, autoincrement=True),
    _moment("at"),
    _text("actor"),
    _text("address"),
    _text("action"),
    _text("target"),
    _text("detail", "{}"),
    Index(None, "at"),
    Index(None, "action", "entry_id"),
    Index(None, "actor", "entry_id"),
)

# One row a job; whoever wins the conditional UPDATE runs it.
schedule = Table(
    "schedule",
    metadata,
    _id("job"),
    _time("last_run_at"),
    _time("next_run_at"),
    Column("owner", String(80)),
    _moment("lease_until"),
    _count("runs"),
)

# Lines of files that were taken in already, so that removing an account lasts.
imported = Table("imported", metadata, _id("fingerprint"), _moment("at"))

# Users of the mirror as an earlier program kept them; the mirror itself builds on these.
seeds = Table(
    "seeds",
    metadata,
    _id("seed_hash"),
    Column("seed", Text),  # null: only its hash is known
    Column("account_id", String(80), index=True),
    _text("user_id"),
    _text("source"),
    _moment("created_at"),
)

seed_conversations = Table(
    "seed_conversations",
    metadata,
    Column("seed_hash", String(80), primary_key=True),
    Column("conversation_id", String(80), primary_key=True),
    Column("account_id", String(80)),
    _count("position"),
)

conversation_facts = Table(
    "conversation_facts",
    metadata,
    _id("conversation_id"),
    _text("facts", "{}"),
)
