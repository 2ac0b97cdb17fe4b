from pathlib import Path

from chat2api.settings.load import load_settings
from chat2api.settings.model import Settings
from chat2api.settings.show import describe
from chat2api.settings.version import version

SECRETS = {
    "AUTHORIZATION": "sk-planted-1,sk-planted-2",
    "AUTH_KEY": "planted-3",
    "PROXY_URL": "http://me:planted-4@proxy:3128,socks5://other:1080",
    "CHAT2API_ACCESS_TOKEN_PREFIX": "planted-5",
    "CHATGPT_BASE_URL": "https://u:planted-6@relay.example",
    "UPSTREAM_HEADERS": '{"Cookie": "planted-7"}',
    "API_PREFIX": "planted-8",
}


def lines_for(environ, tmp_path):
    loaded = load_settings(cli={}, environ=environ, config_path=None, cwd=tmp_path)
    return describe(loaded)


def test_version_and_every_setting_with_its_source(tmp_path):
    first, *rest = lines_for({"PORT": "6000", "MODEL_ALIASES": '{"b":"x","a":"y"}'}, tmp_path)
    assert first == f"chat2api {version()}"
    shown = dict(line.split(maxsplit=1) for line in rest)
    assert list(shown) == list(Settings.model_fields)
    assert shown["port"] == "6000  (environment PORT)"
    assert shown["history_disabled"] == "true  (default)"
    assert shown["drain_seconds"] == "25  (default)"
    assert shown["authorization"] == "-  (default)"
    assert shown["model_aliases"] == "a, b  (environment MODEL_ALIASES)"
    assert shown["data_dir"] == f"{tmp_path / 'data'}  (default)"


def test_secrets_are_masked(tmp_path):
    lines = lines_for(SECRETS, tmp_path)
    assert "planted" not in "\n".join(lines)
    shown = dict(line.split(maxsplit=1) for line in lines[1:])
    assert shown["authorization"] == "***, ***  (environment AUTHORIZATION)"
    assert shown["proxy_url"] == (
        "http://***@proxy:3128, socks5://other:1080  (environment PROXY_URL)"
    )
    assert shown["chatgpt_base_url"] == (
        "https://***@relay.example  (environment CHATGPT_BASE_URL)"
    )
    assert shown["upstream_headers"] == "Cookie  (environment UPSTREAM_HEADERS)"
    assert shown["api_prefix"] == "***  (environment API_PREFIX)"


def test_a_log_may_hold_them(tmp_path: Path):
    assert all(line.isprintable() for line in lines_for(SECRETS, tmp_path))


def test_of_accounts_only_the_number_is_told(tmp_path):
    (tmp_path / "conf").mkdir()
    path = tmp_path / "conf/app.dev.yaml"
    for count, told in ((1, "1 account"), (2, "2 accounts")):
        path.write_text("chatgpts:\n" + "  - access_token: planted-9\n" * count)
        lines = lines_for({}, tmp_path)
        assert f"{told}  (app.dev.yaml chatgpts)" in "\n".join(lines)
        assert "planted" not in "\n".join(lines)
