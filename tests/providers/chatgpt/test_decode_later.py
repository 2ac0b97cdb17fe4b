"""providers.chatgpt.decode: what comes after the text or the stream: pictures, stored conversations."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.events import Finish, ImageRef, TextDelta

# --- pictures ------------------------------------------------------------------------------------


def picture(pointer: str, **fields: Any) -> dict[str, Any]:
    return {"content_type": "image_asset_pointer", "asset_pointer": pointer, **fields}


def pictures(wire, *parts: Any, **fields: Any) -> dict[str, Any]:
    content = {"content_type": "multimodal_text", "parts": list(parts)}
    return wire.snapshot("g", role="tool", name="t2uay3k", content=content, **fields)


def test_only_finished_pictures_go_out_and_uploads_never(decode, wire) -> None:
    upload = {"content_type": "multimodal_text", "parts": [picture("file-service://file-up")]}
    found = decode(
        [
            wire.snapshot("u", role="user", content=upload),
            pictures(wire, picture("sediment://file_part"), meta={"image_gen_async": True}),
            pictures(
                wire,
                picture("sediment://file_one", width=10, height=20, metadata={"dalle": {"prompt": "cat"}}),
                picture("file-service://file-two#page=1"),
                picture("sediment://file_mine"),
                picture("file-service://file-up"),
                done=True,
            ),
            pictures(wire, picture("sediment://file_one?again"), done=True),
            "[DONE]",
        ],
        own_files=["file_mine"],
    )  # fmt: skip

    assert found.events == [
        ImageRef("sediment://file_one", 10, 20, "cat"),
        ImageRef("file-service://file-two#page=1"),
        Finish("stop"),
    ]


def test_a_picture_after_the_stream_is_pending_until_the_document_has_it(decode, wire) -> None:
    working = pictures(wire, meta={"async_task_type": "image_gen"})
    found = decode(
        [
            wire.snapshot("u", "draw", role="user"),
            working,
            {"type": "conversation_async_status", "async_status": 3, "conversation_id": "c"},
            "[DONE]",
        ],
        sent=["u"],
        finish=False,
    )
    decoder = found.decoder
    assert (decoder.done, decoder.settled, decoder.complete) == (True, True, False)
    assert decoder.async_pending

    def document(async_status: Any, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "current_node": "g",
            "async_status": async_status,
            "mapping": {
                "u": {"message": wire.message("u", "draw", role="user"), "parent": None},
                "g": {"message": message, "parent": "u"},
            },
        }

    assert decoder.absorb_document(document(3, working["message"])) == []
    assert not decoder.complete
    ready = pictures(wire, picture("sediment://file_x"), done=True)["message"]
    assert decoder.absorb_document(document(None, ready)) == [ImageRef("sediment://file_x")]
    assert decoder.complete
    assert decoder.finish() == [Finish("stop")]


def test_a_picture_that_never_got_better_than_its_preview(decode, wire) -> None:
    preview = picture("sediment://p", height=20, metadata={"generation": {"height": 10}})
    found = decode([pictures(wire, preview, done=True), "[DONE]"])

    assert found.events == [ImageRef("sediment://p", None, 20), Finish("stop")]


def test_an_unready_picture_is_not_an_empty_success(decode, wire) -> None:
    found = decode([pictures(wire, meta={"async_task_type": "image_gen"}), "[DONE]"])

    assert found.error is not None
    assert found.error.code == "upstream_truncated"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("You're generating images too quickly. Please wait for 2 minutes.", 120),
        ('{"code": "rate_limit_exceeded", "estimated_wait_seconds": 45}', 45),
        ("Error: rate_limit_exceeded", None),
    ],
)
def test_a_spent_picture_quota_is_a_limit(decode, wire, text: str, seconds: float | None) -> None:
    found = decode([wire.snapshot("t", text, role="tool", name="t2uay3k", done=True)])

    assert found.error is not None
    assert (found.error.code, found.error.retry_after) == ("rate_limit_exceeded", seconds)


def test_a_search_result_may_quote_a_quota(decode, wire) -> None:
    quoted = wire.snapshot("t", "rate_limit_exceeded", role="tool", name="web.search", done=True)

    assert decode([quoted, wire.snapshot("a", "Hi", done=True), "[DONE]"]).text == "Hi"


# --- stored conversations ------------------------------------------------------------------------


def stored(wire, *messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    parents = [None, *(message["id"] for message in messages)]
    mapping = {
        m["id"]: {"id": m["id"], "message": m, "parent": parent}
        for m, parent in zip(messages, parents, strict=False)
    }
    return {
        "conversation_id": "c",
        "mapping": mapping,
        "current_node": messages[-1]["id"],
        **fields,
    }


def test_a_document_adds_only_what_is_missing(decode, wire) -> None:
    user = wire.message("u", "Question", role="user", done=True)
    found = decode([wire.root("a", "One"), wire.append(", two")], sent=["u"], finish=False)
    decoder = found.decoder

    growing = stored(wire, user, wire.message("a", "One, two, three"))
    assert decoder.absorb_document(growing) == [TextDelta(", three")]
    assert not decoder.complete
    assert decoder.absorb_document(growing) == []

    whole = stored(
        wire,
        user,
        wire.message("a", "One, two, three, four", done=True, end_turn=False),
        wire.message("b", "Five", done=True),
    )
    assert decoder.absorb_document(whole) == [TextDelta(", four\n\nFive")]
    assert decoder.complete
    assert decoder.finish() == [Finish("stop")]


@pytest.mark.parametrize(
    ("last", "fields", "complete"),
    [
        ({"done": True}, {}, True),
        ({"done": True}, {"async_status": 4}, True),
        ({"done": True}, {"async_status": "COMPLETE"}, True),
        ({"done": True}, {"async_status": 3}, False),
        ({"done": True}, {"async_status": "IS_STREAMING"}, False),
        ({"done": True, "end_turn": False}, {}, False),
        ({}, {}, False),
        ({"done": True, "recipient": "web"}, {}, False),
        ({"done": True, "role": "tool"}, {}, False),
    ],
)
def test_when_a_document_is_whole(decode, wire, last: Any, fields: Any, complete: bool) -> None:
    decoder = decode([], finish=False).decoder
    document = stored(
        wire, wire.message("u", role="user"), wire.message("a", "Hi", **last), **fields
    )

    decoder.absorb_document(document)

    assert decoder.complete is complete


def test_a_research_report_is_waited_for(decode, wire) -> None:
    begun = [
        wire.snapshot("a", "I will look into it.", done=True),
        wire.snapshot("r", "", role="tool", meta={"async_task_type": "research"}),
        wire.complete,
    ]
    decoder = decode(begun, finish=False).decoder
    assert (decoder.settled, decoder.complete) == (True, False)

    before = [wire.message("u", role="user"), *(item["message"] for item in begun[:2])]
    decoder.absorb_document(stored(wire, *before))
    assert not decoder.complete
    report = wire.message("b", "The report.", done=True)
    assert decoder.absorb_document(stored(wire, *before, report)) == [TextDelta("\n\nThe report.")]
    assert decoder.complete


def test_a_refusal_instead_of_a_document(decode) -> None:
    decoder = decode([], finish=False).decoder

    with pytest.raises(Exception, match="Can't load") as caught:
        decoder.absorb_document(
            {"detail": {"code": "conversation_not_found", "message": "Can't load it"}}
        )
    assert caught.value.info.code == "conversation_not_found"
    with pytest.raises(Exception, match="not an object"):
        decoder.absorb_document([])
