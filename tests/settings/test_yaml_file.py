import re
from pathlib import Path

import pytest

from chat2api.secret import Secret
from chat2api.settings.compatible_entry import COMPATIBLE_FIELDS
from chat2api.settings.entry import ENTRY_FIELDS, ChatGptEntry
from chat2api.settings.fields import setting_fields
from chat2api.settings.load import load_settings
from chat2api.settings.problems import Problem
from chat2api.settings.variables import Found
from chat2api.settings.yaml_file import YamlSettings, parse_yaml, read_yaml, revision_of


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "chat.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        problems = []
        found = read_yaml(path, setting_fields(), problems).found
        return found, [str(problem) for problem in problems]

    return read


def test_settings_by_their_lower_case_names(read):
    found, problems = read("port: 6000  # why\nauthorization: [a, b]\nhost:\n")
    assert problems == []
    assert found == {
        "port": Found(6000, "chat.yaml port", "port (chat.yaml line 1)", 1),
        "authorization": Found(
            ["a", "b"], "chat.yaml authorization", "authorization (chat.yaml line 2)", 2
        ),
    }


def test_an_unknown_key_is_a_problem_with_a_suggestion(read):
    assert read("prot: 1\nPORT: 2\nxyzzy: 3\n")[1] == [
        "prot (chat.yaml line 1): is not a setting; did you mean port?",
        "PORT (chat.yaml line 2): is not a setting; did you mean port?",
        "xyzzy (chat.yaml line 3): is not a setting",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a: [", "chat.yaml: is not valid YAML (line 1, column 5)"),
        ("port: 1\nport: 2\n", "chat.yaml: is not valid YAML (line 2, column 1)"),
        ("auth_key: 'sk-secret\n", "chat.yaml: is not valid YAML (line 2, column 1)"),
        ("x: !!python/object/apply:os.system ['true']", "chat.yaml: is not valid YAML"),
        ("- a\n- b\n", "chat.yaml: must hold `name: value` lines"),
        ("just text", "chat.yaml: must hold `name: value` lines"),
    ],
)
def test_a_broken_file_is_told_without_its_content(read, content, problem):
    found, problems = read(content)
    assert found == {}
    assert [text.partition(" (")[0] for text in problems] == [problem.partition(" (")[0]]
    assert "secret" not in problems[0]


def test_binary_is_told(read, tmp_path):
    assert read(b"\xff\xfe\x00")[1] == [f"{tmp_path / 'chat.yaml'}: cannot be read as UTF-8 text"]


def test_an_empty_file_sets_nothing(read):
    assert read("") == ({}, [])
    assert read("# only a comment\n") == ({}, [])


def test_a_missing_file_is_a_problem(tmp_path):
    problems: list[Problem] = []
    assert read_yaml(tmp_path / "no.yaml", setting_fields(), problems) == YamlSettings()
    assert [str(p) for p in problems] == [
        f"{tmp_path / 'no.yaml'}: the configuration file does not exist"
    ]


SEED = """\
log_level: debug
log_path: logs
log_file: ""
bind: 127.0.0.1
port: 3040
auth:
  access_tokens:
    - "Bearer sk-a"
    - sk-b
  access_token_prefix: [own-]
proxy: http://h:1
chatgpt_base_url: https://chatgpt.com
chatgpts:
  - access_token: "Bearer eyJ.a.b"
    last_refresh: 2025-12-09T03:08:11Z
    expired: 2025-12-19
    email: u@example.com
"""


def test_the_keys_of_seed_deployments(read):
    found, problems = read(SEED)
    assert problems == []
    assert {name: each.value for name, each in found.items()} == {
        "log_level": "debug",
        "log_path": "logs",
        "host": "127.0.0.1",
        "port": 3040,
        "authorization": ["sk-a", "sk-b"],
        "access_token_prefix": ["own-"],
        "proxy_url": "http://h:1",
        "chatgpt_base_url": "https://chatgpt.com",
        "chatgpts": (
            ChatGptEntry(
                access_token=Secret("eyJ.a.b"),
                last_refresh="2025-12-09T03:08:11+00:00",
                expired="2025-12-19",
                email="u@example.com",
            ),
        ),
    }
    assert found["host"] == Found("127.0.0.1", "chat.yaml bind", "bind (chat.yaml line 4)", 4)
    assert found["authorization"].written_as == "auth.access_tokens (chat.yaml line 7)"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            "auth:\n  acces_tokens: [a]\n",
            "auth.acces_tokens (chat.yaml line 2): is not a setting; "
            "did you mean auth.access_tokens?",
        ),
        (
            "auth: sk-planted\n",
            "auth (chat.yaml line 1): must hold access_tokens and access_token_prefix",
        ),
        (
            "\nchatgpts:\n  - access_token: a\n    refreshtoken: planted\n",
            "chatgpts[0].refreshtoken (chat.yaml line 4): is not a setting; "
            "did you mean refresh_token?",
        ),
        (
            "bind: a\nhost: b\n",
            "host (chat.yaml line 2): is set as bind (chat.yaml line 1) too; keep one of them",
        ),
        (
            "authorization: [a]\nauth: {access_tokens: [b]}\n",
            "auth.access_tokens (chat.yaml line 2): is set as authorization (chat.yaml line 1) too; "
            "keep one of them",
        ),
        ("chatgpt: []\n", "chatgpt (chat.yaml line 1): is not a setting; did you mean chatgpts?"),
    ],
)
def test_mistakes_below_the_top_are_named_too(read, content, problem):
    assert read(content)[1] == [problem]


def test_empty_places_of_a_template_set_nothing(read):
    text = "auth: {access_tokens: [], access_token_prefix: []}\nproxy: ''\nchatgpts: []\n"
    assert read(text) == ({}, [])
    assert read("auth:\nchatgpts:\nproxy:\nauthorization: [a]\n")[1] == []


@pytest.mark.parametrize(
    ("text", "has_it"),
    [("auth:\n", True), ("auth: {}\n", True), ("port: 1\n", False), ("", False)],
)
def test_whether_there_is_an_auth_section(text, has_it):
    assert parse_yaml(text, "x.yaml", setting_fields(), [])[1] is has_it


def test_a_file_has_a_revision(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"port: 1\n")
    seen = read_yaml(path, setting_fields(), [])
    assert seen.revision == revision_of(b"port: 1\n") == "854e00f83420ae39"
    path.write_bytes(b"\xff")
    assert read_yaml(path, setting_fields(), []).revision == revision_of(b"\xff")


def test_a_document_that_contains_itself_is_refused(read):
    assert read("chatgpts: &a [*a]\n")[1] == [
        "chatgpts[0] (chat.yaml line 1): must hold `name: value` lines"
    ]


# --- the template

TEMPLATE = Path(__file__).resolve().parents[2] / "conf" / "app.demo.yaml"


def test_the_template_loads_and_opens_nothing():
    problems = []
    found = read_yaml(TEMPLATE, setting_fields(), problems).found
    assert problems == []
    assert {name: each.value for name, each in found.items()} == {
        "port": 5005,
        "chatgpt_base_url": "https://chatgpt.com",
        "log_level": "info",
        "log_path": "logs",
    }


def test_a_copy_of_the_template_changes_neither_the_address_nor_the_keys(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "app.dev.yaml").write_bytes(TEMPLATE.read_bytes())
    without = load_settings(cli={}, environ={}, config_path=None, cwd=tmp_path / "conf")
    copied = load_settings(cli={}, environ={}, config_path=None, cwd=tmp_path)
    assert copied.config_path is not None
    assert not copied.has_auth_section
    differ = {
        name
        for name in setting_fields()
        if getattr(copied.settings, name) != getattr(without.settings, name)
    }
    assert differ <= {"data_dir", "log_path"}  # relative to the working directory


def test_what_the_template_has_in_comments_is_a_setting_too():
    text = TEMPLATE.read_text("utf-8")
    named = re.findall(r"^# ([a-z_]+):", text, re.MULTILINE)
    assert len(named) > 10
    assert set(named) <= {*setting_fields(), "auth", "bind", "providers"}
    fields = re.findall(r"^#  [- ] ([a-z_]+):", text, re.MULTILINE)
    assert sorted(fields) == sorted(ENTRY_FIELDS)
    upstream = re.findall(r"^#     [- ] ([a-z_]+):", text, re.MULTILINE)
    assert upstream == list(COMPATIBLE_FIELDS)
