"""What the operator does to accounts, from the parts that ask the upstream."""

from __future__ import annotations

from chat2api.factory.desk import DeskBase
from chat2api.providers.protocol import Provider
from chat2api.service.account_actions import AccountActions, Renewer
from chat2api.service.checks import AccountChecks, Tokens
from chat2api.service.egress import Egress
from chat2api.store.account_book import AccountBook


def make_actions(
    base: DeskBase, provider: Provider, egress: Egress, tokens: Tokens, renewals: Renewer
) -> AccountActions:
    book = AccountBook(base.store)
    checks = AccountChecks(provider, book, base.edits, egress, tokens, base.events, base.pace)
    return AccountActions(book, base.edits, base.labels, checks, renewals, base.events, base.jobs)
