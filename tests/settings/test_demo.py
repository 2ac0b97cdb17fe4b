import pytest

from chat2api.secret import Secret
from chat2api.settings.compatible_entry import CompatibleEntry
from chat2api.settings.demo import DEMO_KEY, apply_demo, refuse_public_host, with_upstream
from chat2api.settings.load import load_settings
from chat2api.settings.problems import SettingsError


@pytest.fixture
def loaded(tmp_path):
    return lambda **environ: load_settings(cli={}, environ=environ, config_path=None, cwd=tmp_path)


def test_the_demo_is_open_local_and_apart(loaded, tmp_path):
    before = loaded(PROXY_URL="http://h:1", PORT="7", HOST="10.0.0.1")
    after = with_upstream(apply_demo(before), "http://127.0.0.1:9")
    changed = {
        name: getattr(after.settings, name)
        for name in type(after.settings).model_fields
        if getattr(after.settings, name) != getattr(before.settings, name)
    }
    assert changed == {
        "host": "127.0.0.1",
        "allow_anonymous": True,
        "authorization": (Secret(DEMO_KEY),),
        "data_dir": tmp_path / "data/demo",
        "proxy_url": (),
        "chatgpt_base_url": ("http://127.0.0.1:9",),
        "openai_auth_issuer": "http://127.0.0.1:9",
        "openai_compatible": (
            CompatibleEntry(
                "compat",
                "http://127.0.0.1:9/compat/v1",
                Secret("sk-compat"),
                ("compat-large", "compat-mini", "compat-image", "compat-tts"),
            ),
        ),
    }
    assert {name for name, source in after.sources.items() if source == "--demo"} == set(changed)


def test_logins_of_the_demo_go_to_its_own_server(loaded):
    before = loaded(OPENAI_AUTH_TOKEN_URL="https://a.test/oauth/token")
    after = with_upstream(before, "http://127.0.0.1:9")
    assert after.settings.openai_auth_token_url is None
    assert after.sources["openai_auth_token_url"] == "--demo"


def test_keys_of_ones_own_are_kept(loaded):
    after = apply_demo(loaded(AUTHORIZATION="sk-mine"))
    assert after.settings.authorization == (Secret("sk-mine"),)
    assert after.sources["authorization"] == "environment AUTHORIZATION"


@pytest.mark.parametrize("host", ["127.0.0.5", "::1", "localhost"])
def test_another_loopback_address_is_kept(loaded, host):
    assert apply_demo(loaded(HOST=host)).settings.host == host
    refuse_public_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", ""])
def test_a_public_host_with_demo_is_refused(host):
    with pytest.raises(SettingsError, match="listens on this machine only"):
        refuse_public_host(host)


def test_no_host_is_fine():
    refuse_public_host(None)


def test_real_accounts_and_the_real_database_have_no_part_in_it(loaded, tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/app.dev.yaml").write_text("chatgpts: [{access_token: planted}]\n")
    after = apply_demo(loaded(DATABASE_URL="sqlite:///real.db"))
    assert (after.settings.chatgpts, after.settings.database_url) == ((), None)
    assert (after.sources["chatgpts"], after.sources["database_url"]) == ("--demo", "--demo")
    assert after.config_path == tmp_path / "conf/app.dev.yaml"
