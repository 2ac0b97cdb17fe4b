"""How a picture stands in an answer that is Markdown text."""

from __future__ import annotations

from urllib.parse import quote

from chat2api.chat.events import ImageRef

_MARKDOWN_SAFE = "/:;,?@&=+$!*'#%[]~"
_WEB_SCHEMES = ("https:", "http:", "data:")


def picture_markdown(picture: ImageRef) -> str:
    """A Markdown picture on a line of its own (sheet 6.2).

    A pointer that only the upstream understands (`sediment://…`) becomes a placeholder from which
    the pointer can be read back.
    """
    if picture.pointer.startswith(_WEB_SCHEMES):
        label = "image"
    else:
        label = "image: downloading pictures arrives in a later version"
    return f"![{label}]({quote(picture.pointer, safe=_MARKDOWN_SAFE)})\n"
