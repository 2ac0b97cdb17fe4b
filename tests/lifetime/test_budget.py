"""The bytes that requests hold together."""

from __future__ import annotations

import pytest

from chat2api.errors import Overloaded
from chat2api.lifetime.budget import ByteBudget


def test_what_is_taken_is_missing_until_given_back() -> None:
    budget = ByteBudget(10)
    budget.take(6)
    with pytest.raises(Overloaded):
        budget.take(5)
    budget.take(4)  # the refusal took nothing
    budget.give_back(6)
    budget.take(6)
