"""A server that has been in use for a day: accounts in every state, requests good and bad, hostile texts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, update

from chat2api.errors import ACCOUNT_CLOSED, UpstreamChallenge
from chat2api.pool.values import NewAccount, Quota, QuotaWindow
from chat2api.secret import Secret
from chat2api.service.recording import point_of
from chat2api.store import tables
from chat2api.store.account_events import AccountEvents
from chat2api.store.account_heat import AccountHeat, slot_of
from chat2api.store.api_keys import ApiKeys
from chat2api.store.audit import Audit
from chat2api.store.engine import database_url
from chat2api.store.intake import Intake
from chat2api.store.jobs import JobBook
from chat2api.store.opening import Store, StoreOptions, open_store
from chat2api.store.quotas import quota_text
from chat2api.store.request_records import RequestRecord, RequestRecords
from chat2api.store.traces import AttemptRecord, Candidates, Trace
from chat2api.store.usage_hours import UsageHours

from ..e2e.processes import Server, Simulator

NAMES = [
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "karl",
    "lena",
    "mike",
    "nina",
    "oscar",
    "peggy",
    "quinn",
    "rosa",
    "sven",
    "tina",
]
PLANS = ("plus", "pro", "free", "team")
MODELS = ("gpt-5", "gpt-5", "gpt-5", "gpt-4o", "o3")
SCRIPT = '<img src=x onerror=alert(1)>"><script>alert(2)</script> javascript:alert(3)'
HOSTILE = f"{SCRIPT} \u202eevil\u2066\x07\x1b[31m"
LONG = "W" * 500
HOSTILE_NAME = '"><img src=x onerror=alert(4)>\u202e'
FAULTS = (
    ("upstream_timeout", 504, "Upstream did not answer in time."),
    ("rate_limit_exceeded", 429, "Too many requests, please slow down."),
    ("upstream_challenge_required", 502, "A human check was asked for."),
    ("upstream_truncated", 502, "The stream ended early."),
)
DAY = 86_400.0


@dataclass
class Furnished:
    """What stands in the server; ids by what they show. `accounts` by name."""

    server: Server
    simulator: Simulator
    accounts: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    hostile: bool = True


def opened(server: Server) -> Store:
    directory = server.data_dir
    return open_store(StoreOptions(database_url(None, directory), directory))


def start(directory: Path, settings: dict[str, str]) -> Furnished:
    """An empty server beside a simulator, both running."""
    simulator = Simulator(directory)
    simulator.start()
    simulator.reset()
    config = directory / "conf"
    config.mkdir()
    text = "# mine, and it stays\nauth:\n  access_tokens:\n    - sk-of-the-file-0123456789\n"
    (config / "app.dev.yaml").write_text(text)
    server = Server(
        directory,
        simulator.url,
        [],
        {
            "OPENAI_AUTH_ISSUER": simulator.url,
            "OPENAI_AUTH_TOKEN_URL": f"{simulator.url}/oauth/token",
            "CONFIG_POLL_SECONDS": "1",
            **settings,
        },
    ).start()
    return Furnished(server, simulator)


def stop(made: Furnished) -> None:
    made.server.stop()
    made.simulator.stop()


def made_accounts(simulator: Simulator, wishes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = simulator.control("accounts", wishes)
    return list(answer if isinstance(answer, list) else answer["accounts"])


def furnish(made: Furnished, hostile: bool = True) -> Furnished:
    """`hostile`: with texts that want to be markup, too long, or turned round; pictures go without."""
    made.hostile = hostile
    store = opened(made.server)
    try:
        _accounts(made, store)
        _keys(made, store)
        _requests(made, store)
        _histories(made, store)
        made.jobs["over"] = _job(made, store)
    finally:
        store.close()
    return made


def _accounts(made: Furnished, store: Store) -> None:
    wishes = [
        {"name": name, "plan": PLANS[index % 4], **({"refresh": "rt"} if index % 3 == 0 else {})}
        for index, name in enumerate(NAMES)
    ]
    found = made_accounts(made.simulator, wishes)
    new = [
        NewAccount(
            access_token=Secret(account["access_token"]),
            refresh_token=Secret(account["refresh_token"])
            if account.get("refresh_token")
            else None,
            email=f"{account['name']}@example.com",
            plan=str(account["plan"]),
        )
        for account in found
    ]
    added = Intake(store).add(new, "auth.json")
    made.accounts = {name: one.account_id for name, one in zip(NAMES, added, strict=True)}
    _stand(made, store)


def _stand(made: Furnished, store: Store) -> None:
    now = store.now()
    quota = Quota(
        (
            QuotaWindow("5 h", 38.0, None, now + 4000),
            QuotaWindow(HOSTILE if made.hostile else "week", 97.0, None, now + 3 * DAY),
        ),
    )
    used = {"last_used_at": now - 240, "checked_at": now - 600}
    states: dict[str, dict[str, Any]] = {
        "alice": {"quota": quota_text(quota), **used},
        "bob": used,
        "carol": {"running": 2, "concurrency": 3, **used},
        "dave": {"cooling_until": now + 2160, "selectable": False, "wake_at": now + 2160}
        | {"reason": "rate_limit_exceeded", "reason_at": now - 60, "limited": True, **used},
        "erin": {"cooling_until": now + 5400, "selectable": False, "wake_at": now + 5400}
        | {"reason": UpstreamChallenge.code, "reason_at": now - 60, **used},
        "frank": {"needs_login": True, "selectable": False, "reason_at": now - DAY}
        | {"reason": "upstream_account_auth_failed", **used},
        "grace": {"needs_login": True, "selectable": False, "reason": ACCOUNT_CLOSED, **used},
        "heidi": {"paused": True, "selectable": False, **used},
        "ivan": {"label": HOSTILE, "note": HOSTILE, "source": HOSTILE_NAME, "plan": HOSTILE_NAME},
        "judy": {"label": LONG, "note": LONG, "reason": LONG, "source": LONG, **used},
        "lena": {"note": "中文备注：给小王用", **used},
        "mike": used,
        "nina": used,
    }
    if not made.hostile:
        states |= {"ivan": used, "judy": used}

    def work(connection: Connection) -> None:
        for name, values in states.items():
            which = tables.accounts.c.account_id == made.accounts[name]
            connection.execute(update(tables.accounts).where(which).values(values))
        limit = {"account_id": made.accounts["bob"], "limit_key": "gpt-5", "until": now + 1800}
        connection.execute(insert(tables.account_limits).values(limit))

    store.database.write(work)


def _keys(made: Furnished, store: Store) -> None:
    keys = ApiKeys(store)
    for label, limits in (
        ("phone", {"requests_per_minute": 20, "daily_tokens": 100_000, "models": ("gpt-5*",)}),
        ("laptop", {}),
        ("old one", {}),
    ):
        made.keys[label] = keys.create(label, **limits)[0].key_id  # type: ignore[arg-type]
    keys.revoke(made.keys["old one"])
    keys.note_use({made.keys["phone"]: store.now() - 240})
    hostile = keys.create("tablet")[0].key_id
    made.keys["hostile"] = hostile
    if not made.hostile:
        return
    store.database.write(
        lambda connection: connection.execute(
            update(tables.api_keys)
            .where(tables.api_keys.c.key_id == hostile)
            .values(label=HOSTILE, models=f"{HOSTILE_NAME}\n{LONG[:100]}")
        )
    )


def _requests(made: Furnished, store: Store) -> None:
    dice = random.Random(7)
    now = store.now()
    accounts = [made.accounts[name] for name in ("alice", "bob", "dave", "mike", "nina")]
    records = []
    for number in range(240):
        at = now - 1.2 * DAY + number * (1.2 * DAY / 240) - 30
        code, status, message = dice.choice(FAULTS) if number % 12 == 5 else ("", 200, "")
        records.append(
            _record(
                f"seeded-{number:04}", at, dice, made.keys["phone"], accounts, code, status, message
            )
        )
    now_ish = now - 20
    hostile = _record(
        "hostile-0001",
        now_ish,
        dice,
        made.keys["hostile"],
        accounts,
        "upstream_error",
        502,
        HOSTILE,
    )
    if made.hostile:
        records.append(
            replace(hostile, model=HOSTILE_NAME, address="203.0.113.9", answered_by=LONG[:200])
        )
    rotated = _rotated(now - 10, made)
    records.append(rotated)
    RequestRecords(store).add(records)
    UsageHours(store).add([point_of(record) for record in records])
    AccountHeat(store).add(
        {
            (made.accounts["alice"], slot_of(now - step * 300)): (
                dice.randint(0, 9),
                dice.randint(0, 1),
            )
            for step in range(0, 280, 2)
        }
    )
    made.requests = {
        "good": "seeded-0100",
        "failed": next(one.request_id for one in reversed(records[:240]) if one.failed),
        "hostile": "hostile-0001",
        "rotated": rotated.request_id,
    }


def _record(
    request_id: str,
    at: float,
    dice: random.Random,
    key_id: str,
    accounts: list[str],
    code: str,
    status: int,
    message: str,
) -> RequestRecord:
    first = dice.uniform(0.4, 3.0)
    account, model = dice.choice(accounts), dice.choice(MODELS)
    attempt = AttemptRecord(
        1, "conversation", account, code, status, message, None, 0.1, first + 2, first, 0.2
    )
    return RequestRecord(
        request_id,
        at,
        first + 2.2,
        status,
        bool(code),
        code=code,
        path="/v1/chat/completions",
        model=model,
        answered_by="" if code else model,
        provider="chatgpt",
        key_id=key_id,
        account_id=account,
        attempts=1,
        stream=True,
        first_byte_seconds=None if code else first,
        prompt_tokens=dice.randint(20, 900),
        completion_tokens=dice.randint(20, 2000),
        estimated=True,
        address="192.0.2.17",
        trace=Trace((attempt,), Candidates(20, 14, 1, 2, 1, 1, 1, 0), 0.1, "random", (), message),
    )


def _rotated(at: float, made: Furnished) -> RequestRecord:
    """Failed on the first account, answered by the second."""
    first = AttemptRecord(
        1,
        "conversation",
        made.accounts["dave"],
        "rate_limit_exceeded",
        429,
        "You have reached the limit.",
        2160.0,
        0.3,
        0.4,
        None,
        0.2,
    )
    second = AttemptRecord(
        2, "conversation", made.accounts["alice"], "", 200, "", None, 0.8, 8.1, 0.9, 0.2
    )
    return RequestRecord(
        "rotated-0001",
        at,
        8.9,
        200,
        False,
        path="/v1/chat/completions",
        model="gpt-5",
        answered_by="gpt-5",
        provider="chatgpt",
        key_id=made.keys["phone"],
        account_id=made.accounts["alice"],
        attempts=2,
        stream=True,
        first_byte_seconds=1.7,
        prompt_tokens=220,
        completion_tokens=1204,
        estimated=True,
        address="192.0.2.17",
        trace=Trace((first, second), Candidates(20, 14, 1, 2, 1, 1, 1, 1), 0.1, "random"),
    )


def _histories(made: Furnished, store: Store) -> None:
    events = AccountEvents(store)
    for kind in ("added", "limited", "renewed", "check_failed", "paused", "resumed"):
        events.note(
            [made.accounts["alice"]],
            kind,
            "page",
            {"reason": HOSTILE if made.hostile else "rate_limit_exceeded"},
        )  # type: ignore[arg-type]
    audit = Audit(store)
    audit.note("page 1a2b", "192.0.2.7", "signed in")
    if made.hostile:
        audit.note(
            HOSTILE, HOSTILE_NAME, "pause accounts", HOSTILE, {"label": HOSTILE, "note": LONG}
        )
    for number in range(60):
        audit.note(
            "cli", "", "change account", f"acct_{number}", {"note": f"{number} → {number + 1}"}
        )


def _job(made: Furnished, store: Store) -> str:
    """One that is over: good, failed and skipped."""
    book = JobBook(store, "suite")
    items = [(made.accounts[name], name) for name in ("alice", "lena", "mike", "nina")]
    return book.create(
        "check", "page 1a2b", [*items, ("acct_gone", HOSTILE if made.hostile else "gone")]
    )
