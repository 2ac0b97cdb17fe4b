import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.secret import Secret
from chat2api.settings import load as module
from chat2api.settings.load import LoadedSettings, load_from_process, load_settings, yaml_problems
from chat2api.settings.model import Settings
from chat2api.settings.problems import SettingsError


@pytest.fixture
def load(tmp_path):
    """load(environ, cli=…, env_file=…, yaml=…): with those files in the working directory."""

    def load(environ=None, *, cli=None, env_file=None, yaml=None) -> LoadedSettings:
        if env_file is not None:
            (tmp_path / ".env").write_text(env_file)
        if yaml is not None:
            (tmp_path / "c.yaml").write_text(yaml)
        return load_settings(
            cli=cli or {},
            environ=environ or {},
            config_path=None if yaml is None else Path("c.yaml"),
            cwd=tmp_path,
        )

    return load


@pytest.fixture
def problems(load):
    def problems(*args, **kwargs):
        with pytest.raises(SettingsError) as caught:
            load(*args, **kwargs)
        return [str(problem) for problem in caught.value.problems]

    return problems


def test_nothing_set_gives_the_defaults(load, tmp_path):
    loaded = load()
    assert loaded.settings == Settings(data_dir=tmp_path / "data", log_path=tmp_path / "logs")
    assert set(loaded.sources.values()) == {"default"}
    assert list(loaded.sources) == list(Settings.model_fields)


def test_a_data_directory_starts_at_the_working_directory(load, tmp_path):
    assert load({"DATA_DIR": "state/x"}).settings.data_dir == tmp_path / "state/x"
    assert load({"DATA_DIR": "/srv/x"}).settings.data_dir == Path("/srv/x")


# Every way to set PORT, strongest first.
LEVELS = (
    "command line --port",
    "environment CHAT2API_PORT",
    ".env CHAT2API_PORT",
    "environment PORT",
    ".env PORT",
    "c.yaml port",
)


@given(st.sets(st.sampled_from(range(len(LEVELS))), min_size=1))
def test_the_strongest_source_wins(tmp_path_factory, levels):
    where = tmp_path_factory.mktemp("cwd")
    port = {LEVELS[level]: 1000 + level for level in levels}
    set_here = {
        origin: {
            name.partition(" ")[2]: str(port[name]) for name in port if name.startswith(origin)
        }
        for origin in ("environment", ".env")
    }
    (where / ".env").write_text("".join(f"{k}={v}\n" for k, v in set_here[".env"].items()))
    (where / "c.yaml").write_text(f"port: {port['c.yaml port']}\n" if "c.yaml port" in port else "")
    loaded = load_settings(
        cli={"port": port.get("command line --port")},
        environ=set_here["environment"],
        config_path=where / "c.yaml",
        cwd=where,
    )
    strongest = min(levels)
    assert (loaded.settings.port, loaded.sources["port"]) == (1000 + strongest, LEVELS[strongest])


def test_an_empty_variable_is_not_set(load):
    loaded = load({"PORT": "", "CHAT2API_HOST": " ", "AUTHORIZATION": ""}, yaml="port: 7\n")
    assert (loaded.settings.port, loaded.settings.host) == (7, "0.0.0.0")
    assert loaded.settings.authorization == ()


def test_the_settings_of_the_seeds(load):
    settings = load(
        {
            "API_PREFIX": "/your/prefix/",
            "AUTHORIZATION": "sk-a, sk-b,sk-a",
            "AUTH_KEY": "relay",
            "CHATGPT_BASE_URL": "https://a.example/,https://b.example",
            "PROXY_URL": "socks5://u:p@h:1080,10.0.0.1:80",
            "HISTORY_DISABLED": "No",
            "POW_DIFFICULTY": "00FF",
            "RETRY_TIMES": "0",
            "CONVERSATION_ONLY": "T",
            "ENABLE_LIMIT": "off",
            "LOG_LEVEL": "DEBUG",
        }
    ).settings
    assert settings.api_prefix == "your/prefix"
    assert settings.authorization == (Secret("sk-a"), Secret("sk-b"))
    assert settings.auth_key == Secret("relay")
    assert settings.chatgpt_base_url == ("https://a.example", "https://b.example")
    assert settings.proxy_url == (Secret("socks5://u:p@h:1080"), Secret("http://10.0.0.1:80"))
    assert settings.pow_difficulty == "00ff"
    assert (settings.retry_times, settings.log_level) == (0, "debug")
    switches = (settings.history_disabled, settings.conversation_only, settings.enable_limit)
    assert switches == (False, True, False)


def test_yaml_says_the_same_in_its_own_words(load):
    settings = load(
        yaml="""
access_token_prefix: [my-]
trusted_proxies: [10.0.0.0/8, "::1"]
drain_seconds: 3
history_disabled: yes
allow_anonymous: true
upstream_headers: {X-A: b}
proxy_url: http://h:1
"""
    ).settings
    assert settings.access_token_prefix == (Secret("my-"),)
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert settings.drain_seconds == 3
    assert (settings.history_disabled, settings.allow_anonymous) == (True, True)
    assert settings.upstream_headers == {"X-A": "b"}
    assert settings.proxy_url == (Secret("http://h:1"),)


def test_a_variable_may_name_the_yaml_file(load, tmp_path):
    (tmp_path / "x.yaml").write_text("port: 9\n")
    loaded = load({"CHAT2API_CONFIG": "x.yaml"})
    assert (loaded.settings.port, loaded.sources["port"]) == (9, "x.yaml port")


def test_the_usual_proxy_variable_is_a_fallback(load):
    loaded = load({"https_proxy": "u:p@proxy:3128"})
    assert loaded.settings.proxy_url == (Secret("http://u:p@proxy:3128"),)
    assert loaded.sources["proxy_url"] == "environment https_proxy"
    assert load({"https_proxy": "x:1", "PROXY_URL": "http://y:2"}).settings.proxy_url == (
        Secret("http://y:2"),
    )


def test_every_problem_is_told_at_once(problems, tmp_path):
    assert problems(
        {
            "CHAT2API_PROT": "1",
            "PORT": "70000",
            "WORKERS": "two",
            "HISTORY_DISABLED": "ture",
            "CHATGPT_BASE_URL": "http://u:pw@h?q=1,ftp://x",
            "PUBLIC_BASE_URL": "chat.example.com",
            "TRUSTED_PROXIES": "10.0.0.0/40",
            "POW_DIFFICULTY": "0x3a",
            "DIRECT_TOKENS": "on",
            "API_PREFIX": "a b",
        },
        cli={"host": "a\nb"},
        yaml="drain_seconds: 0\nretry_times: true\n",
    ) == [
        "CHAT2API_PROT (environment): is not a setting; did you mean CHAT2API_PORT?",
        "--host=a\N{REPLACEMENT CHARACTER}b: must not contain control characters",
        "WORKERS=two: must be a whole number from 1 to 64",
        "HISTORY_DISABLED=ture: must be true, 1, t, y, yes, on or false, 0, f, n, no, off",
        "retry_times (c.yaml line 2)=True: must be a whole number from 0 to 20",
        "PORT=70000: must be a whole number from 0 to 65535",
        "API_PREFIX=***: use letters, digits, and . _ ~ - only",
        "PUBLIC_BASE_URL=chat.example.com: must be an http:// or https:// address",
        "TRUSTED_PROXIES=10.0.0.0/40: must be an IP address or a network such as 10.0.0.0/8",
        "DIRECT_TOKENS=on: must be auto, prefix or off",
        "CHATGPT_BASE_URL=http://***@h?q=1,ftp://x: must have no query and no fragment",
        "POW_DIFFICULTY=0x3a: must be 1 to 128 hexadecimal digits",
        "drain_seconds (c.yaml line 1)=0: must be a number above 0 up to 86400",
    ]


def test_an_empty_list_is_told(problems):
    assert problems({"CHATGPT_BASE_URL": " , "}) == ["CHATGPT_BASE_URL=,: must not be empty"]


def test_a_wrong_usual_proxy_is_told_masked(problems):
    assert problems({"HTTP_PROXY": "ftp://user:pw@x"}) == [
        "HTTP_PROXY=***: must look like http://, https:// or socks5://[user:password@]host:port"
    ]


def test_options_are_named_as_on_the_command_line(problems):
    assert problems(cli={"public_base_url": "x", "port": "-1"}) == [
        "--port=-1: must be a whole number from 0 to 65535",
        "--base_url=x: must be an http:// or https:// address",
    ]


@given(secret=st.text("abcdefghij0123456789", min_size=12))
def test_secrets_never_show_in_problems(tmp_path_factory, secret):
    where = tmp_path_factory.getbasetemp()
    with pytest.raises(SettingsError) as caught:
        load_settings(
            cli={},
            environ={
                "PROXY_URL": f"nonsense://u:{secret}@h",
                "AUTH_KEY": f"{secret}\x00",
                "AUTHORIZATION": f"[{secret}",
                "CHAT2API_AUTHORISATION": secret,
                "CHATGPT_BASE_URL": f"ftp://x:{secret}@h",
                "UPSTREAM_HEADERS": secret,
            },
            config_path=None,
            cwd=where,
        )
    assert len(caught.value.problems) == 5
    assert secret not in str(caught.value)


def test_the_settings_cannot_be_changed(load):
    with pytest.raises(ValueError, match="frozen"):
        load().settings.port = 1


def test_the_process_is_asked_when_there_is_no_command_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "os", os)
    monkeypatch.setenv("CHAT2API_PORT", "7")
    assert load_from_process().settings.port == 7


# --- which file


@pytest.mark.parametrize("name", ["dev", "prod", "my_own-1"])
def test_env_chooses_the_file(load, tmp_path, name):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / f"app.{name}.yaml").write_text("port: 9\n")
    loaded = load({} if name == "dev" else {"ENV": name.upper()})
    assert (loaded.settings.port, loaded.sources["port"]) == (9, f"app.{name}.yaml port")
    assert loaded.config_path == tmp_path / "conf" / f"app.{name}.yaml"
    assert len(loaded.config_revision) == 16


def test_a_missing_file_of_env_is_no_mistake(load):
    loaded = load({"ENV": "prod"})
    assert (loaded.config_path, loaded.config_revision) == (None, None)


def test_a_named_file_wins_over_env(load, tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/app.dev.yaml").write_text("port: 9\n")
    (tmp_path / "x.yaml").write_text("port: 10\n")
    assert load({"CHAT2API_CONFIG": "x.yaml"}).settings.port == 10
    assert (
        load({"CHAT2API_CONFIG": "x.yaml", "ENV": "/etc/shrc"}, yaml="port: 11").settings.port == 11
    )


@pytest.mark.parametrize("name", ["../x", "a b", "x" * 33])
def test_a_malformed_env_is_a_mistake(problems, name):
    assert problems({"ENV": name}) == [
        f"ENV={name}: must be 1 to 32 letters, digits, _ or -; it chooses conf/app.<ENV>.yaml"
    ]


def test_env_is_no_setting(problems):
    (problem,) = problems({"CHAT2API_ENV": "prod"})
    assert problem.startswith("CHAT2API_ENV (environment): is not a setting")


def test_accounts_are_for_the_file_only(problems):
    (problem,) = problems({"CHAT2API_CHATGPTS": "[]", "CHATGPTS": "[]"})
    assert problem.startswith("CHAT2API_CHATGPTS (environment): is not a setting")


# --- what the file says, and what is stronger


def test_a_file_of_a_seed_deployment(load):
    loaded = load(
        {"PROXY_URL": "http://env:1"},
        yaml="""
log_level: warn
bind: 127.0.0.1
proxy: http://file:1
auth:
  access_tokens: [Bearer sk-a]
chatgpts:
  - {access_token: eyJ.a, proxy: "h:1"}
""",
    )
    settings = loaded.settings
    assert (settings.log_level, settings.host) == ("warning", "127.0.0.1")
    assert settings.authorization == (Secret("sk-a"),)
    assert settings.proxy_url == (Secret("http://env:1"),)
    assert [entry.proxy for entry in settings.chatgpts] == [Secret("http://h:1")]
    assert loaded.sources["authorization"] == "c.yaml auth.access_tokens"
    assert loaded.has_auth_section
    assert loaded.fixed_fields == {"proxy_url"}


def test_postgresql_needs_a_key_of_its_own(load, problems):
    url = "postgres://u:planted@db/chat"
    assert problems({"DATABASE_URL": url}) == [
        "DATABASE_URL=***: PostgreSQL needs SECRET_KEY, 16 characters or more, the same on every server"
    ]
    key = "0123456789abcdef"
    assert load({"DATABASE_URL": url, "SECRET_KEY": key}).settings.secret_key == (Secret(key),)
    assert load({"DATABASE_URL": "sqlite:///x.db"}).settings.secret_key == ()


def test_old_keys_come_after_the_new_one(load, problems, tmp_path):
    (tmp_path / "keys").write_text(f"{'a' * 16}\n{'b' * 16}\n")
    keys = load({"SECRET_KEY_FILE": "keys"}).settings.secret_key
    assert keys == (Secret("a" * 16), Secret("b" * 16))
    assert problems({"SECRET_KEY": "short"}) == [
        "SECRET_KEY=***: every key must have at least 16 characters"
    ]


def test_the_text_of_a_file_can_be_checked_by_itself():
    assert [str(p) for p in yaml_problems("prot: 1\nretry_times: many\n", "x.yaml")] == [
        "prot (x.yaml line 1): is not a setting; did you mean port?",
        "retry_times (x.yaml line 2)=many: must be a whole number from 0 to 20",
    ]
    assert yaml_problems("port: 1\n", "x.yaml") == []
