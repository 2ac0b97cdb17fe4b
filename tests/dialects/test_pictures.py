"""Pictures as Markdown."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from chat2api.chat.events import ImageRef
from chat2api.dialects.pictures import picture_markdown

PLACEHOLDER = "![image: downloading pictures arrives in a later version]"


@pytest.mark.parametrize(
    ("pointer", "markdown"),
    [
        ("sediment://file_00ab", f"{PLACEHOLDER}(sediment://file_00ab)\n"),
        ("file-service://file-Ab1", f"{PLACEHOLDER}(file-service://file-Ab1)\n"),
        ("https://x.test/a.png?b=c&d=%20", "![image](https://x.test/a.png?b=c&d=%20)\n"),
        ("data:image/png;base64,AA+/==", "![image](data:image/png;base64,AA+/==)\n"),
    ],
)
def test_a_picture(pointer: str, markdown: str) -> None:
    assert picture_markdown(ImageRef(pointer, 10, 20, "a prompt")) == markdown


def test_no_pointer_breaks_out_of_its_link() -> None:
    pointer = "sediment://a) [click](b\n<c>"
    markdown = picture_markdown(ImageRef(pointer))
    address = markdown.removeprefix(f"{PLACEHOLDER}(").removesuffix(")\n")
    assert not set(address) & set("() \n<>")
    assert unquote(address) == pointer
