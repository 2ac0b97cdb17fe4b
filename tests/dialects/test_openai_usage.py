"""Usage of one or several choices."""

from __future__ import annotations

from openai.types import CompletionUsage

from chat2api.chat.events import Usage
from chat2api.dialects.openai_usage import total_usage, usage_object


def test_what_was_written_adds_up_and_the_prompt_counts_once() -> None:
    first = Usage(9, 12, reasoning_tokens=4, cached_tokens=2, estimated=False)
    second = Usage(9, 3, reasoning_tokens=1, cached_tokens=2)
    assert total_usage([first, None, second]) == Usage(9, 15, 5, 2, estimated=True)


def test_one_choice_is_its_own_total() -> None:
    usage = Usage(9, 12, 4, 2, estimated=False)
    assert total_usage([usage]) == usage


def test_unknown_stays_unknown() -> None:
    assert total_usage([]) is None
    assert total_usage([None, None]) is None


def test_the_official_type_knows_every_key() -> None:
    parsed = CompletionUsage.model_validate(usage_object(Usage(9, 12, 4, 2)), strict=True)
    assert parsed.total_tokens == 21
    assert parsed.model_extra == {}
    assert parsed.prompt_tokens_details is not None
    assert parsed.prompt_tokens_details.cached_tokens == 2
    assert parsed.completion_tokens_details is not None
    assert parsed.completion_tokens_details.reasoning_tokens == 4
    assert parsed.completion_tokens_details.model_extra == {}
