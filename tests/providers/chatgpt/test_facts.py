"""providers.chatgpt.facts: what is known of a turn."""

from chat2api.providers.chatgpt.facts import TurnFacts


def test_the_newest_conversation_id_counts() -> None:
    facts = TurnFacts()
    for payload in ({}, {"conversation_id": "c"}, {"conversation_id": None}):
        facts.note_conversation(payload)

    assert facts.conversation_id == "c"


def test_the_resume_token_is_not_shown() -> None:
    assert "secret" not in repr(TurnFacts(resume_token="secret"))
