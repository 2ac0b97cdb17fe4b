"""codecs.errors: a codec's refusal is an ordinary ValueError with its message."""

from chat2api.codecs.errors import CodecError


def test_carries_its_message() -> None:
    error = CodecError("an event is larger than 5 bytes")

    assert isinstance(error, ValueError)
    assert str(error) == "an event is larger than 5 bytes"
