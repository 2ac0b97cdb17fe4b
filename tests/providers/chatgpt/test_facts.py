"""providers.chatgpt.facts: what is known of a turn, the better source winning."""

from chat2api.providers.chatgpt.facts import TurnFacts


def test_the_newest_conversation_id_counts() -> None:
    facts = TurnFacts()
    for payload in ({}, {"conversation_id": "c"}, {"conversation_id": None}):
        facts.note_conversation(payload)

    assert facts.conversation_id == "c"


def test_models_by_how_close_the_source_is() -> None:
    facts = TurnFacts()
    facts.note_message_model({"author": {"role": "user"}, "metadata": {"model_slug": "no"}})
    assert facts.served_model is None
    facts.note_message_model({"author": {"role": "assistant"}, "metadata": {"model_slug": "a"}})
    assert facts.served_model == "a"
    facts.note_served_model({"model_slug": "b", "resolved_model_slug": None})
    assert facts.served_model == "b"
    facts.note_message_model(
        {"author": {"role": "assistant"}, "metadata": {"resolved_model_slug": "c"}}
    )
    assert facts.served_model == "b"


def test_the_resume_token_is_not_shown() -> None:
    assert "secret" not in repr(TurnFacts(resume_token="secret"))
