import pytest

from chat2api.secret import Secret
from chat2api.settings.compatible_entry import (
    is_entry_address,
    is_entry_name,
    is_entry_proxy,
    is_model_name,
)


@pytest.mark.parametrize("name", ["a", "my_ollama-2", "x" * 32])
def test_names(name):
    assert is_entry_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "a/b", "a b", "x" * 33, "chatgpt", "codex"])
def test_no_names(name):
    with pytest.raises(ValueError, match=r"must be 1 to 32|choose another"):
        is_entry_name(name)


def test_addresses():
    assert is_entry_address("http://ollama:11434/v1/") == "http://ollama:11434/v1"
    for wrong in ("ollama:11434", "ftp://x", "http://x/v1?a=b", "http://user:planted@x/v1"):
        with pytest.raises(ValueError, match="must") as caught:
            is_entry_address(wrong)
        assert "planted" not in str(caught.value)


def test_models():
    assert is_model_name("vendor/model:7b") == "vendor/model:7b"
    for wrong in ("", "a\nb", "x" * 201):
        with pytest.raises(ValueError, match="every model"):
            is_model_name(wrong)


def test_proxies():
    assert is_entry_proxy(Secret("Direct")) == Secret("direct")
    assert is_entry_proxy(Secret("h:1")) == Secret("http://h:1")
    with pytest.raises(ValueError, match="must look like"):
        is_entry_proxy(Secret("ftp://h"))
