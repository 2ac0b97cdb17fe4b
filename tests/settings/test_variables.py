import pytest

from chat2api.settings.fields import setting_fields
from chat2api.settings.variables import (
    Found,
    Variables,
    find_proxy,
    find_variable,
    read_variables,
    refuse_unknown,
)

FIELDS = setting_fields()


def in_environment(**values):
    return Variables(values, dict.fromkeys(values, "environment"))


@pytest.fixture
def find(tmp_path):
    def find(name, **values):
        problems = []
        found = find_variable(FIELDS[name], in_environment(**values), tmp_path, problems)
        return found, [str(problem) for problem in problems]

    return find


def test_the_environment_completes_itself_from_dotenv(tmp_path):
    (tmp_path / ".env").write_text(
        "# a comment\nexport PORT=1\nHOST='dot.env'\nAUTH_KEY=\"pa$$ ${HOME}\"\nEMPTY=\nBARE\n",
        encoding="utf-8-sig",
    )
    problems = []
    variables = read_variables({"PORT": "2", "HOST": "  "}, tmp_path / ".env", problems)
    assert problems == []
    assert variables.values == {"PORT": "2", "HOST": "dot.env", "AUTH_KEY": "pa$$ ${HOME}"}
    assert variables.origins == {"PORT": "environment", "HOST": ".env", "AUTH_KEY": ".env"}


def test_nothing_is_exported(tmp_path, monkeypatch):
    import os

    (tmp_path / ".env").write_text("CHAT2API_PORT=1\n")
    read_variables({}, tmp_path / ".env", [])
    assert "CHAT2API_PORT" not in os.environ


def test_a_broken_line_is_a_problem(tmp_path):
    (tmp_path / ".env").write_text("PORT=1\nthis is = no 'assignment\nHOST=a\n")
    problems = []
    assert read_variables({}, tmp_path / ".env", problems).values == {"PORT": "1", "HOST": "a"}
    assert [str(p) for p in problems] == [".env line 2: is not NAME=value"]


def test_a_dotenv_that_is_not_text_is_a_problem(tmp_path):
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe")
    problems = []
    read_variables({}, tmp_path / ".env", problems)
    assert [str(p) for p in problems] == [".env: cannot be read as UTF-8 text"]


def test_the_prefixed_name_wins(find):
    assert find("port", PORT="1", CHAT2API_PORT="2") == (
        Found("2", "environment CHAT2API_PORT", "CHAT2API_PORT"),
        [],
    )
    assert find("port", PORT="1")[0] == Found("1", "environment PORT", "PORT")
    assert find("port") == (None, [])


def test_the_direct_token_prefix_has_no_plain_name(find):
    assert find("access_token_prefix", ACCESS_TOKEN_PREFIX="p") == (None, [])
    assert find("access_token_prefix", CHAT2API_ACCESS_TOKEN_PREFIX="p")[0].value == "p"


def test_a_secret_may_be_in_a_file(find, tmp_path):
    (tmp_path / "key").write_text("sk-1\nsk-2\n")
    assert find("authorization", AUTHORIZATION_FILE="key") == (
        Found("sk-1\nsk-2\n", "environment AUTHORIZATION_FILE", "AUTHORIZATION_FILE"),
        [],
    )


def test_a_secret_given_twice_is_a_problem(find, tmp_path):
    (tmp_path / "key").write_text("sk-1")
    _, problems = find("auth_key", AUTH_KEY="sk-0", AUTH_KEY_FILE="key")
    assert problems == ["AUTH_KEY: is set, and AUTH_KEY_FILE too; keep one of them"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("absent", None, "names a file that cannot be read"),
        ("empty", " \n", "names an empty or too large file"),
        ("huge", "x" * 1_100_000, "names an empty or too large file"),
    ],
)
def test_a_secret_file_must_hold_something(find, tmp_path, name, content, problem):
    if content is not None:
        (tmp_path / name).write_text(content)
    assert find("auth_key", AUTH_KEY_FILE=name) == (
        None,
        [f"AUTH_KEY_FILE={tmp_path / name}: {problem}"],
    )


def test_only_secrets_are_read_from_files(find):
    assert find("port", PORT_FILE="x") == (None, [])


def test_unknown_prefixed_variables_are_refused_without_their_value():
    problems = []
    refuse_unknown(
        FIELDS,
        in_environment(
            CHAT2API_AUTHORISATION="sk-secret",
            CHAT2API_QQQ="1",
            CHAT2API_PORT="1",
            CHAT2API_CONFIG="x",
            CHAT2API_AUTH_KEY_FILE="x",
            CHAT2API_PORT_FILE="x",
            OTHER="1",
        ),
        problems,
    )
    assert [str(p) for p in problems] == [
        "CHAT2API_AUTHORISATION (environment): is not a setting; "
        "did you mean CHAT2API_AUTHORIZATION?",
        "CHAT2API_PORT_FILE (environment): is not a setting; did you mean CHAT2API_PORT?",
        "CHAT2API_QQQ (environment): is not a setting",
    ]


def test_what_kubernetes_adds_for_a_service_of_our_name_is_no_mistake(find):
    link = {
        "CHAT2API_PORT": "tcp://10.0.0.7:80",
        "CHAT2API_PORT_80_TCP": "tcp://10.0.0.7:80",
        "CHAT2API_PORT_80_TCP_ADDR": "10.0.0.7",
        "CHAT2API_PORT_80_TCP_PORT": "80",
        "CHAT2API_PORT_80_TCP_PROTO": "tcp",
        "CHAT2API_SERVICE_HOST": "10.0.0.7",
        "CHAT2API_SERVICE_PORT": "80",
        "CHAT2API_SERVICE_PORT_HTTP": "80",
    }
    problems = []
    refuse_unknown(FIELDS, in_environment(**link), problems)
    assert problems == []
    assert find("port", **link) == (None, [])
    assert find("port", PORT="7", **link)[0].value == "7"


UPSTREAM = ("https://chatgpt.com",)


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ({}, None),
        ({"http_proxy": "a:1"}, "http_proxy"),
        ({"HTTP_PROXY": "a:1", "all_proxy": "b:1"}, "all_proxy"),
        ({"HTTPS_PROXY": "a:1", "ALL_PROXY": "b:1", "http_proxy": "c:1"}, "HTTPS_PROXY"),
        ({"https_proxy": "a:1", "no_proxy": "localhost, .chatgpt.com"}, None),
        ({"https_proxy": "a:1", "NO_PROXY": "*"}, None),
        ({"https_proxy": "a:1", "no_proxy": "*.chatgpt.com"}, None),
        ({"https_proxy": "a:1", "no_proxy": "gpt.com,,localhost"}, "https_proxy"),
    ],
)
def test_the_usual_proxy_variables(values, chosen):
    found = find_proxy(in_environment(**values), UPSTREAM)
    assert (found and found.written_as) == chosen
