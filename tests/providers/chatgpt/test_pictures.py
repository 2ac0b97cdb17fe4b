"""providers.chatgpt.pictures: which pictures are finished, and whether more are to come."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.events import ImageRef
from chat2api.providers.chatgpt.messages import Kind
from chat2api.providers.chatgpt.pictures import Pictures, file_id


def part(pointer: str, *, made: int = 10, height: int = 10) -> Any:
    return {
        "content_type": "image_asset_pointer",
        "asset_pointer": pointer,
        "width": 20,
        "height": height,
        "metadata": {"generation": {"height": made}},
    }


def message(*parts: Any, done: bool = True, **metadata: Any) -> dict[str, Any]:
    return {
        "author": {"role": "tool"},
        "content": {"content_type": "multimodal_text", "parts": list(parts)},
        "status": "finished_successfully" if done else "in_progress",
        "metadata": metadata,
    }


def pointers(found: list[ImageRef]) -> list[str]:
    return [picture.pointer for picture in found]


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("sediment://file_1", "file_1"),
        ("file-service://file-1?x=1", "file-1"),
        ("sediment://file_1#part", "file_1"),
        ("https://other", "https://other"),
    ],
)
def test_file_ids(pointer: str, expected: str) -> None:
    assert file_id(pointer) == expected


def test_several_pictures_of_one_message() -> None:
    pictures = Pictures(())
    whole = message(part("sediment://a"), part("sediment://p", made=5), part("sediment://b"))

    assert pointers(pictures.finished("m", Kind.PICTURES, whole)) == [
        "sediment://a",
        "sediment://b",
    ]
    assert pictures.finished("m", Kind.PICTURES, whole) == []
    assert pictures.leftovers() == []


def test_a_preview_waits_for_something_better() -> None:
    pictures = Pictures(())

    assert pictures.finished("m", Kind.PICTURES, message(part("sediment://p", made=5))) == []
    assert pictures.is_pending(answered=True)
    assert pointers(pictures.finished("m", Kind.PICTURES, message(part("sediment://f")))) == ["sediment://f"]  # fmt: skip
    assert not pictures.is_pending(answered=True)
    assert pictures.leftovers() == []


def test_a_preview_that_nothing_followed_is_better_than_nothing() -> None:
    pictures = Pictures(())
    pictures.finished("m", Kind.PICTURES, message(part("sediment://p", made=5)))

    assert pointers(pictures.leftovers()) == ["sediment://p"]
    assert not pictures.is_pending(answered=False)


@pytest.mark.parametrize(
    ("note", "answered", "pending"),
    [
        ({}, False, False),
        ({"async_task_type": "image_gen"}, True, True),
        ({"image_gen_async": True}, True, True),
        ({"image_gen_async": False}, True, False),
        ({"async_task_type": "research"}, True, False),
    ],
)
def test_signs_of_work(note: dict[str, Any], answered: bool, pending: bool) -> None:
    pictures = Pictures(())
    pictures.note_work(message(done=False, **note))

    assert pictures.is_pending(answered=answered) is pending


def test_a_call_may_be_answered_in_words() -> None:
    pictures = Pictures(())
    pictures.note_work({"author": {"role": "assistant"}, "recipient": "dalle.text2im"})

    assert pictures.is_pending(answered=False)
    assert not pictures.is_pending(answered=True)


def test_uploads_are_never_an_answer() -> None:
    pictures = Pictures(["file-1"])
    pictures.learn_own(message(part("file-service://file-2"), attachments=[{"id": "file-3"}, None]))
    back = message(*(part(f"file-service://file-{n}") for n in (1, 2, 3, 4)))

    assert pointers(pictures.finished("m", Kind.ANSWER, back)) == ["file-service://file-4"]


def test_plots_of_a_program() -> None:
    drawn = {"messages": [{"message_type": "image", "image_url": "file-service://file-p"}, {"image_url": "x"}, None]}  # fmt: skip
    output = {"status": "finished_successfully", "metadata": {"aggregate_result": drawn}}

    assert Pictures(()).finished("o", Kind.OUTPUT, output) == [ImageRef("file-service://file-p")]


def test_pictures_elsewhere_are_not_looked_at() -> None:
    assert Pictures(()).finished("m", Kind.HIDDEN, message(part("sediment://a"))) == []
    assert (
        Pictures(()).finished("m", Kind.PICTURES, message(part("sediment://a"), done=False)) == []
    )
    assert Pictures(()).finished("m", Kind.PICTURES, message(None, "text", {"content_type": "image_asset_pointer"})) == []  # fmt: skip
