"""What a model is told when its answer will not do."""

from __future__ import annotations

from chat2api.chat.conversation import Conversation, Message, ReplyTo, Text
from chat2api.tools.mending import about_calls, about_no_call, about_output, asked_again

USER = Message("user", (Text("Where?"),))
KEPT = ReplyTo("c", "m1")


def test_the_answer_and_the_complaint_follow() -> None:
    again = asked_again(Conversation("auto", (USER,), reply_to=KEPT), "Here.", "No.", None)

    assert again.messages == (
        USER,
        Message("assistant", (Text("Here."),)),
        Message("user", (Text("No."),)),
    )
    assert again.reply_to == KEPT


def test_a_kept_answer_is_gone_on_from() -> None:
    again = asked_again(Conversation("auto", (USER,)), "Here.", "No.", ReplyTo("c", "m2"))

    assert again.reply_to == ReplyTo("c", "m2")


def test_an_empty_answer_is_told_as_such_and_a_huge_one_in_part() -> None:
    conversation = Conversation("auto", (USER,))

    assert asked_again(conversation, "", "No.", None).messages[1].text == "(nothing)"
    assert len(asked_again(conversation, "x" * 10**6, "No.", None).messages[1].text) == 100_000


def test_complaints_name_what_is_wrong() -> None:
    for complaint in (about_calls(["city: missing", "b"]), about_output(["city: missing", "b"])):
        assert "- city: missing\n- b\n" in complaint
        assert "previous answer" in complaint
    told = about_no_call(["get_weather", "patch"])
    assert "must call" in told
    assert "get_weather, patch" in told
    assert about_calls(["x"] * 50).count("- x") == 8
