"""The one error a codec raises."""

from __future__ import annotations


class CodecError(ValueError):
    """Input that a codec refuses to go on with. The message is plain and carries none of the input."""
