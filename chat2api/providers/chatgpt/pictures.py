"""The pictures of a turn: which are finished, which went out, whether more are to come (sheet 5.9, 8). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from chat2api.chat.events import ImageRef
from chat2api.providers.chatgpt.messages import (
    Json,
    Kind,
    calls_picture_tool,
    items_of,
    mapping_of,
    text_of,
)

_POINTER = re.compile(r"(?:file-service|sediment)://([^#?]+)")


class Pictures:
    """Sees every message that may bear on pictures. `own_file_ids` are uploads: never an answer."""

    __slots__ = ("_async", "_called", "_own", "_previews", "_sent")

    def __init__(self, own_file_ids: Iterable[str]) -> None:
        self._own = set(own_file_ids)
        self._sent: set[str] = set()
        self._previews: dict[str, ImageRef] = {}
        self._called = False
        self._async = False

    @property
    def any_sent(self) -> bool:
        return bool(self._sent)

    def learn_own(self, message: Json) -> None:
        """A message of ours, echoed: its files are uploads."""
        for part in _pointer_parts(message):
            self._own.add(file_id(text_of(part.get("asset_pointer"))))
        for attachment in items_of(mapping_of(message.get("metadata")).get("attachments")):
            self._own.add(text_of(mapping_of(attachment).get("id")))

    def note_work(self, message: Json) -> None:
        """Remember signs that a picture is being made."""
        metadata = mapping_of(message.get("metadata"))
        if text_of(metadata.get("async_task_type")).startswith("image"):
            self._async = True
        if metadata.get("image_gen_async") is True:
            self._async = True
        if calls_picture_tool(message):
            self._called = True

    def finished(self, message_id: str, kind: Kind, message: Json) -> list[ImageRef]:
        """The finished pictures of a message that have not gone out yet."""
        if text_of(message.get("status")) != "finished_successfully":
            return []
        if kind is Kind.OUTPUT:
            return self._fresh(_plots(message))
        if kind not in (Kind.PICTURES, Kind.ANSWER):
            return []
        parts = list(_pointer_parts(message))
        whole = [part for part in parts if not _is_preview(part)]
        if parts and not whole:
            self._previews[message_id] = _picture(parts[-1])
        else:
            self._previews.pop(message_id, None)
        return self._fresh(map(_picture, whole))

    def leftovers(self) -> list[ImageRef]:
        """Pictures that looked unfinished and were never followed by better ones."""
        previews, self._previews = self._previews, {}
        return self._fresh(previews.values())

    def is_pending(self, *, answered: bool) -> bool:
        """Whether a picture is to come. A mere call of the tool may have been answered in words."""
        if self._previews:
            return True
        return not self._sent and (self._async or (self._called and not answered))

    def _fresh(self, pictures: Iterable[ImageRef]) -> list[ImageRef]:
        fresh = []
        for picture in pictures:
            name = file_id(picture.pointer)
            if name not in self._sent and name not in self._own:
                self._sent.add(name)
                fresh.append(picture)
        return fresh


def file_id(pointer: str) -> str:
    """The file that a pointer names, whatever its scheme and suffix."""
    match = _POINTER.match(pointer)
    return match[1] if match else pointer


def _pointer_parts(message: Json) -> Iterator[Json]:
    for item in items_of(mapping_of(message.get("content")).get("parts")):
        part = mapping_of(item)
        if text_of(part.get("content_type")) == "image_asset_pointer" and part.get("asset_pointer"):
            yield part


def _generation(part: Json) -> Json:
    return mapping_of(mapping_of(part.get("metadata")).get("generation"))


def _dalle(part: Json) -> Json:
    return mapping_of(mapping_of(part.get("metadata")).get("dalle"))


def _is_preview(part: Json) -> bool:
    """Whether less of it was made than it will have."""
    made, whole = _generation(part).get("height"), part.get("height")
    return isinstance(made, int) and isinstance(whole, int) and made < whole


def _picture(part: Json) -> ImageRef:
    width, height = part.get("width"), part.get("height")
    return ImageRef(
        text_of(part.get("asset_pointer")),
        width if isinstance(width, int) else None,
        height if isinstance(height, int) else None,
        text_of(_dalle(part).get("prompt")) or None,
    )


def _plots(message: Json) -> Iterator[ImageRef]:
    """Pictures that a program drew."""
    result = mapping_of(mapping_of(message.get("metadata")).get("aggregate_result"))
    for item in items_of(result.get("messages")):
        pointer = text_of(mapping_of(item).get("image_url"))
        if _POINTER.match(pointer):
            yield ImageRef(pointer)
