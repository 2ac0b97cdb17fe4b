import re
import threading

import pytest

from chat2api.secret import Secret
from chat2api.settings.config_file import ConfigFileError
from chat2api.settings.first_key import announce, ensure_key


@pytest.fixture
def path(tmp_path):
    return tmp_path / "app.dev.yaml"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("auth:\n", 'auth:\n  access_tokens:\n    - "KEY"\n'),
        ("# c\nauth: {}\n# t\nz: 1\n", '# c\nauth:\n  access_tokens:\n    - "KEY"\n# t\nz: 1\n'),
        (
            "auth:  # ours\n\n# tail\nz: 1\n",
            'auth:  # ours\n  access_tokens:\n    - "KEY"\n\n# tail\nz: 1\n',
        ),
        (
            "auth:\n  # keys\n  access_tokens: []\n  # p\n  access_token_prefix: []\n\n# t\nz: 1\n",
            'auth:\n  # keys\n  access_tokens:\n    - "KEY"\n  # p\n  access_token_prefix: []\n'
            "\n# t\nz: 1\n",
        ),
        (
            "auth:\n  access_token_prefix:\n    - a # x\n\n# tail\nz: 1\n",
            'auth:\n  access_token_prefix:\n    - a # x\n  access_tokens:\n    - "KEY"\n'
            "\n# tail\nz: 1\n",
        ),
        ("auth:\n  access_tokens: ['']\n", 'auth:\n  access_tokens: ["KEY"]\n'),
    ],
)
def test_a_key_is_written_among_what_is_there(path, before, after):
    path.write_text(before)
    key = ensure_key(path)
    assert re.fullmatch(r"sk-[0-9a-f]{48}", key.reveal())
    assert path.read_text().replace(key.reveal(), "KEY") == after
    assert ensure_key(path) is None


@pytest.mark.parametrize(
    "text",
    ["auth: {access_tokens: [a]}\n", "auth: {access_tokens: 'a,b'}\n", "auth:\nauthorization: a\n"],
)
def test_a_file_with_a_key_stays_as_it_is(path, text):
    path.write_text(text)
    assert ensure_key(path) is None
    assert path.read_text() == text


def test_exactly_one_is_made_however_many_ask(path):
    path.write_text("auth:\n")
    made = []
    threads = [threading.Thread(target=lambda: made.append(ensure_key(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    (key,) = filter(None, made)
    assert path.read_text() == f'auth:\n  access_tokens:\n    - "{key.reveal()}"\n'


def test_a_broken_file_is_left_alone(path):
    path.write_text("auth: [\n")
    with pytest.raises(ConfigFileError):
        ensure_key(path)
    assert path.read_text() == "auth: [\n"


def test_the_key_is_told_on_the_terminal(path, capfd):
    announce(Secret("sk-new"), path)
    out = capfd.readouterr().out
    assert "    sk-new\n" in out
    assert "app.dev.yaml under auth.access_tokens" in out
