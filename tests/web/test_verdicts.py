"""Verdicts in words: every one has them, in every language, and owners learn nothing of accounts."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from chat2api.service.explaining import SAID, Side, Step, Verdict
from chat2api.web.languages import LANGUAGES
from chat2api.web.verdicts import (
    owner_sentence,
    owner_side_text,
    owner_step_text,
    pill_of,
    sentence,
    side_text,
    step_text,
)

ROLES = {"ok", "busy", "wait", "bad", "off", "note"}
SUCCESSES = {
    said for said in SAID if said.startswith(("worked", "second", "later", "same_", "some_"))
}


def verdicts() -> list[Verdict]:
    return [
        Verdict(said, "nobody" if said in SUCCESSES else "account", "none", until=1e9, tries=3)
        for said in sorted(SAID)
    ]


@pytest.mark.parametrize("lang", sorted(LANGUAGES))
def test_every_verdict_has_words_of_its_own_language(site: Any, lang: str) -> None:
    with site.app.test_request_context(f"/?lang={lang}"):
        for verdict in verdicts():
            for text in (sentence(verdict), owner_sentence(verdict)):
                assert text.endswith("。" if lang == "zh" else ".")
            role, glyph = pill_of(verdict)
            assert role in ROLES
            assert glyph
        for side in get_args(Side):
            verdict = Verdict("worked", side, "none")
            assert side_text(verdict)
            assert bool(owner_side_text(verdict)) == (side != "nobody")
        for step in get_args(Step):
            verdict = Verdict("worked", "client", step)
            assert bool(step_text(verdict)) == bool(owner_step_text(verdict)) == (step != "none")


def test_owners_learn_nothing_of_accounts(site: Any) -> None:
    with site.app.test_request_context("/"):
        for verdict in verdicts():
            assert "account" not in owner_sentence(verdict).lower()
        for side in get_args(Side):
            assert "account" not in owner_side_text(Verdict("worked", side, "none")).lower()
        for step in get_args(Step):
            assert "account" not in owner_step_text(Verdict("worked", "client", step)).lower()
