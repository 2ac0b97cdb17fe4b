from chat2api.settings.config_file import parse_document
from chat2api.settings.config_plain import NAMES
from chat2api.settings.config_view import (
    AUTH_TOKENS,
    PREFIXES,
    PROXY,
    render,
    stored_accounts,
    stored_items,
)

FULL = """\
proxy: http://me:planted@proxy:3128
chatgpt_base_url: https://chatgpt.com
auth:
  access_tokens: ["Bearer sk-abcdefghijklmnopwxyz"]
  access_token_prefix: [your-prefix-]
chatgpts:
  - access_token: eyJhbGciOiJSUzI1Ni.planted.Qx9w
    email: u@example.com
    type: codex
    expired: 2025-12-09T03:08:11Z
    proxy: http://me:planted@h:1
"""


def data(text):
    return parse_document(text, "r", "x").data


def view(text, fixed=frozenset()):
    return render(data(text), revision="r1", config_path="conf/app.dev.yaml", fixed=fixed)


def test_the_whole_file():
    unset = {"index": 0, "set": False, "masked": "***"}
    assert view(FULL) == {
        "config_path": "conf/app.dev.yaml",
        "revision": "r1",
        "env_set": [],
        "proxy": "http://***@proxy:3128",
        "chatgpt_base_url": "https://chatgpt.com",
        "auth_tokens": [{"index": 0, "set": True, "masked": "sk-abc...wxyz"}],
        "access_token_prefixes": [{"index": 0, "set": True, "masked": "your-p...fix-"}],
        "settings": dict.fromkeys(NAMES, ""),
        "chatgpts": [
            {
                "index": 0,
                "id_token": unset,
                "access_token": {"index": 0, "set": True, "masked": "eyJhbG...Qx9w"},
                "refresh_token": unset,
                "account_id": "",
                "last_refresh": "",
                "email": "u@example.com",
                "type": "codex",
                "expired": "2025-12-09T03:08:11+00:00",
                "proxy": "http://***@h:1",
            }
        ],
    }
    assert "planted" not in str(view(FULL))


def test_an_empty_file():
    assert view("") == {
        "config_path": "conf/app.dev.yaml",
        "revision": "r1",
        "env_set": [],
        "proxy": "",
        "chatgpt_base_url": "",
        "auth_tokens": [],
        "access_token_prefixes": [],
        "settings": dict.fromkeys(NAMES, ""),
        "chatgpts": [],
    }


def test_our_own_names_are_found_too():
    shown = view(
        "proxy_url: [http://a:p@h:1, socks5://h:2]\n"
        "authorization: sk-0123456789a,sk-0123456789b\n"
        "chatgpt_base_url: [https://a, https://b]\n"
    )
    assert shown["proxy"] == "http://***@h:1, socks5://h:2"
    assert shown["chatgpt_base_url"] == "https://a, https://b"
    assert [token["masked"] for token in shown["auth_tokens"]] == ["sk-012...789a", "sk-012...789b"]


def test_what_the_environment_decides_is_named():
    fixed = frozenset({"proxy_url", "authorization", "port"})
    assert view("", fixed)["env_set"] == ["auth_tokens", "proxy"]


def test_where_a_field_stands():
    assert AUTH_TOKENS.place(data("")) == ("auth", "access_tokens")
    assert AUTH_TOKENS.place(data("auth: {}\nauthorization: [a]\n")) == ("authorization",)
    assert AUTH_TOKENS.place(data("auth: {access_tokens: []}\nauthorization: [a]\n")) == (
        "authorization",
    )
    assert AUTH_TOKENS.place(data("auth: {access_tokens: []}\n")) == ("auth", "access_tokens")
    assert PREFIXES.place(data("auth: planted\n")) == ("auth", "access_token_prefix")
    assert PROXY.place(data("proxy: ''\nproxy_url:\n")) == ("proxy",)


def test_a_missing_section_is_made():
    tree = data("port: 1\n")
    parent, key = AUTH_TOKENS.parent(tree)
    parent[key] = ["a"]
    assert tree == {"port": 1, "auth": {"access_tokens": ["a"]}}


def test_odd_files_are_shown_as_they_are():
    assert stored_items(["a", None, 7, " Bearer b "]) == ["a", "", "7", "b"]
    assert stored_items("[broken") == ["[broken"]
    assert stored_accounts(data("chatgpts: text\n")) == []
    first, second = stored_accounts(data("chatgpts: [text, {email: 7}]\n"))
    assert set(first.values()) == {""}
    assert second["email"] == "7"
