"""One row of the list of accounts, as the page draws it and as a script renews it in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chat2api.pool.values import AccountRow
from chat2api.settings.mask import clip
from chat2api.web.desk.account_words import (
    LONGEST_NAME,
    Fact,
    Pill,
    credential_of,
    is_of_a_file,
    name_of,
    pill_of,
    quota_of,
    source_text,
)
from chat2api.web.languages import gettext
from chat2api.web.state import runtime
from chat2api.web.times import how_long_ago


@dataclass(frozen=True, slots=True)
class Shown:
    """`sub` tells accounts of one name apart."""

    id: str
    name: str
    sub: str
    note: str
    pill: Pill
    plan: str
    quota: Fact
    credential: Fact
    proxy: str
    used: str

    def cells(self) -> dict[str, Any]:
        """What changes by itself."""
        return {
            "id": self.id,
            "pill": asdict(self.pill),
            "quota": asdict(self.quota),
            "credential": asdict(self.credential),
            "used": self.used,
            "plan": self.plan,
        }


def shown(rows: Sequence[AccountRow]) -> list[Shown]:
    held = runtime()
    now, most = held.desk.search.now(), held.settings.account_concurrency
    return [_shown(row, now, most) for row in rows]


def _shown(row: AccountRow, now: float, most: int) -> Shown:
    return Shown(
        id=row.account_id,
        name=name_of(row),
        sub=_sub(row),
        note=clip(row.note)[:LONGEST_NAME],
        pill=pill_of(row, now, most),
        plan=clip(row.plan)[:LONGEST_NAME] or "–",
        quota=quota_of(row),
        credential=credential_of(row, now),
        proxy=clip(row.proxy_masked)[:LONGEST_NAME] or "–",
        used=how_long_ago(row.last_used_at) if row.last_used_at else gettext("never used"),
    )


def _sub(row: AccountRow) -> str:
    parts = [row.masked_token if row.label else "", clip(row.workspace_id or "")[:12]]
    if is_of_a_file(row):
        parts.append(source_text(row))
    if not row.pooled:
        parts.append(gettext("for seeds only"))
    return " · ".join(part for part in parts if part)
