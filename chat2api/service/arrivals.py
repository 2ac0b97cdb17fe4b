"""Accounts that come in by themselves or by a command: files in DATA_DIR, paths, the configuration."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from chat2api.pool.tokens import is_workspace_id, token_kind
from chat2api.pool.values import AddVerdict, NewAccount
from chat2api.providers.oauth.endpoint import CODEX_CLIENT_ID
from chat2api.service.importing.folder import read_path
from chat2api.service.importing.found import Found, FoundAccount, FoundSeed, Skipped
from chat2api.settings.entry import ChatGptEntry
from chat2api.settings.model import Settings
from chat2api.store.account_book import AccountBook
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.intake import Intake
from chat2api.store.opening import Store

log = logging.getLogger(__name__)

_FOLDER = "DATA_DIR"
_WATCHED = ("token.txt", "error_token.txt", "auth.json")

Progress = Callable[[int, int], None]
"""Told how many of how many are done."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How an import went. `verdicts` counts accounts by `Added.verdict`; `skipped` holds no content."""

    verdicts: Mapping[AddVerdict, int] = field(default_factory=dict)
    seeds: int = 0
    conversations: int = 0
    skipped: tuple[Skipped, ...] = ()

    @property
    def accounts(self) -> int:
        return sum(self.verdicts.values())

    @property
    def changed(self) -> int:
        """Accounts, seeds and conversations that are new or renewed."""
        return self.accounts - self.verdicts.get("unchanged", 0) + self.seeds + self.conversations


class Arrivals:
    """Made once per process."""

    def __init__(
        self, data_dir: Path, intake: Intake, accounts: AccountBook, book: ArrivalBook
    ) -> None:
        self._data_dir = data_dir
        self._intake = intake
        self._accounts = accounts
        self._book = book
        self._looked: tuple[tuple[str, int, int], ...] | None = None

    # --- by a command

    def take(
        self,
        path: Path,
        *,
        dry_run: bool = False,
        progress: Progress = lambda done, total: None,
    ) -> ImportReport:
        """Everything a file or folder holds; twice changes nothing. All of its accounts or none."""
        return self._take(read_path(path), path.name, dry_run=dry_run, progress=progress)

    def _take(
        self,
        found: Found,
        source: str,
        *,
        dry_run: bool = False,
        progress: Progress = lambda done, total: None,
    ) -> ImportReport:
        accounts = [one.new for one in found.accounts]
        if dry_run:
            return self._preview([found])[0]
        total = len(accounts) + len(found.seeds) + len(found.conversations)
        added = self._intake.add(accounts, source, at_once=True)
        progress(len(accounts), total)
        seeds = 0
        for number, seed in enumerate(found.seeds, 1):
            seeds += self._add_seed(seed, source)
            progress(len(accounts) + number, total)
        facts = {one.conversation_id: one.facts for one in found.conversations}
        conversations = self._book.add_conversations(facts)
        self._book.note(self._marks(found))
        progress(total, total)
        return ImportReport(
            Counter(one.verdict for one in added), seeds, conversations, found.skipped
        )

    def preview(self, paths: Sequence[Path]) -> list[ImportReport]:
        """What taking these one after the other would do, without doing it."""
        return self._preview([read_path(path) for path in paths])

    def _preview(self, founds: Sequence[Found]) -> list[ImportReport]:
        # In the order of the real thing, where what one brings is known to those after it.
        bound = [[seed.account for seed in found.seeds if seed.account] for found in founds]
        handed = [
            new
            for found, of_seeds in zip(founds, bound, strict=True)
            for new in (*(one.new for one in found.accounts), *of_seeds)
        ]
        added = iter(self._intake.preview(handed, ""))
        seeds = iter(
            self._book.preview_seeds([self._seed(one) for each in founds for one in each.seeds])
        )
        fresh = self._book.preview_conversations(
            one.conversation_id for found in founds for one in found.conversations
        )
        reports = []
        for found, of_seeds in zip(founds, bound, strict=True):
            verdicts = Counter(next(added).verdict for _ in found.accounts)
            deque(islice(added, len(of_seeds)), maxlen=0)
            new_seeds = sum(next(seeds) for _ in found.seeds)
            ids = {one.conversation_id for one in found.conversations} & fresh
            fresh -= ids
            reports.append(ImportReport(verdicts, new_seeds, len(ids), found.skipped))
        return reports

    def _seed(self, seed: FoundSeed) -> tuple[str, Sequence[str]]:
        return self._book.seed_hash(seed.seed, seed.seed_hash_sha256), seed.conversation_ids

    def _add_seed(self, seed: FoundSeed, source: str) -> bool:
        account_id: str | None = None
        if seed.account is not None:
            account_id = self._intake.add([seed.account], source)[0].account_id
        return self._book.add_seed(
            seed.seed,
            seed.seed_hash_sha256,
            account_id,
            seed.user_id,
            seed.conversation_ids,
            source,
        )

    # --- by themselves

    def take_data_dir(self) -> ImportReport:
        """What lies in DATA_DIR and was not taken in before; an account removed since stays removed."""
        found = read_path(self._data_dir)
        known = self._book.known(self._marks(found))
        fresh = replace(
            found,
            accounts=tuple(one for one in found.accounts if self._mark(one) not in known),
            seeds=tuple(one for one in found.seeds if self._seed_mark(one) not in known),
            skipped=(),
        )
        report = self._take(fresh, _FOLDER)
        if report.changed:
            log.info("taken from the files in DATA_DIR", extra=_facts(report))
        return report

    def look(self) -> ImportReport | None:
        """Take what is new when one of the token files has changed since the last look."""
        seen = tuple(self._signatures())
        if seen == self._looked:
            return None
        report = None if self._looked is None and not seen else self.take_data_dir()
        self._looked = seen  # not before: what failed is tried again
        return report

    def _signatures(self) -> Sequence[tuple[str, int, int]]:
        found = []
        for name in _WATCHED:
            try:
                status = (self._data_dir / name).stat()
            except OSError:
                continue
            found.append((name, status.st_mtime_ns, status.st_size))
        return found

    def _marks(self, found: Found) -> set[str]:
        marks = {self._mark(one) for one in found.accounts}
        return marks | {self._seed_mark(one) for one in found.seeds}

    def _mark(self, one: FoundAccount) -> str:
        return self._book.fingerprint("file", *_texts(one.new), one.new.refused)

    def _seed_mark(self, one: FoundSeed) -> str:
        """Its account may have been removed since, and must not come back with the seed."""
        name = (one.seed_hash_sha256 or "") if one.seed is None else one.seed.reveal()
        bound = () if one.account is None else _texts(one.account)
        return self._book.fingerprint("seed", name, one.user_id, *bound, *one.conversation_ids)

    # --- the configuration

    def follow_config(
        self,
        entries: Sequence[ChatGptEntry],
        before: Sequence[ChatGptEntry] | None = None,
    ) -> tuple[int, int]:
        """Make the pool hold what `chatgpts` lists: (added or renewed, removed).

        An entry counts when it changes: tokens renewed since are newer than the file's. `before` is what
        this server listed earlier, and only that is taken out; None where no other server shares the
        pool, so that everything a configuration ever listed is this one's.
        """
        accounts = [(self._entry_mark(entry), account_of_entry(entry)) for entry in entries]
        wanted = {mark: new for mark, new in accounts if new.access_token or new.refresh_token}
        if len(wanted) < len(accounts):
            log.warning("entries of chatgpts are listed twice, or hold no token that can be used")
        listed = self._book.listed()
        fresh = {mark: new for mark, new in wanted.items() if mark not in listed}
        added = self._intake.add(fresh.values(), "config")
        self._book.list_as({mark: one.account_id for mark, one in zip(fresh, added, strict=True)})
        still = {one.account_id for one in added}
        ours = listed if before is None else {self._entry_mark(entry) for entry in before}
        gone = [
            name
            for mark, name in listed.items()
            if mark in ours and mark not in wanted and name not in still
        ]
        removed = self._accounts.remove(gone)
        changed = sum(one.verdict != "unchanged" for one in added)
        if changed or removed:
            log.info(
                "accounts of the configuration", extra={"changed": changed, "removed": removed}
            )
        return changed, removed

    def _entry_mark(self, entry: ChatGptEntry) -> str:
        secrets = (entry.id_token, entry.access_token, entry.refresh_token, entry.proxy)
        texts = [secret.reveal() for secret in secrets]
        return self._book.fingerprint("config", *texts, entry.account_id, entry.email, entry.type)


def _texts(new: NewAccount) -> tuple[str, str, str]:
    access, refresh = new.access_token, new.refresh_token
    return (
        "" if access is None else access.reveal(),
        "" if refresh is None else refresh.reveal(),
        new.workspace_id or "",
    )


def arrivals_of(store: Store, settings: Settings) -> Arrivals:
    """For a process that has no more than the store."""
    intake = Intake(store, settings.refresh_window_seconds)
    return Arrivals(settings.data_dir, intake, AccountBook(store), ArrivalBook(store))


def account_of_entry(entry: ChatGptEntry) -> NewAccount:
    """An entry of `chatgpts` as an account; what cannot be used of it is left out."""
    kind = entry.type.strip().lower()
    workspace = entry.account_id.strip()
    refresh = entry.refresh_token
    is_refresh = bool(refresh) and token_kind(refresh.reveal()) == "refresh"
    return NewAccount(
        access_token=entry.access_token or None,
        refresh_token=refresh if is_refresh else None,
        id_token=entry.id_token or None,
        workspace_id=workspace if workspace and is_workspace_id(workspace) else None,
        email=entry.email.strip(),
        plan="" if kind in ("", "codex") else kind,
        kind="codex" if kind == "codex" else "web",
        client_id=CODEX_CLIENT_ID if kind == "codex" else "",
        proxy=entry.proxy or None,
        refreshed_at=_epoch(entry.last_refresh),
    )


def _epoch(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text.strip()).timestamp() if text.strip() else None
    except (ValueError, OverflowError):
        return None


def _facts(report: ImportReport) -> dict[str, int]:
    return {
        **{str(verdict): count for verdict, count in report.verdicts.items()},
        "seeds": report.seeds,
        "conversations": report.conversations,
    }
