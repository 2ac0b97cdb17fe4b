import pytest

from chat2api.errors import Conflict, RequestError
from chat2api.settings.config_accounts import merge_accounts
from chat2api.settings.config_file import parse_document
from chat2api.settings.config_view import render
from chat2api.settings.entry import ENTRY_FIELDS

FILE = """\
chatgpts:
  # first
  - access_token: eyJ-one-planted-1111  # of May
    email: one@example.com
    expired: 2025-12-09
  - refresh_token: rt-two-planted-2222
    account_id: two
    proxy: http://u:planted@h:1
# the end
port: 1
"""


def accounts(text=FILE):
    data = parse_document(text, "r", "x").data
    return render(data, revision="r", config_path="x", fixed=frozenset())["chatgpts"]


def put(body, text=FILE):
    """The new list, the changes and the whole text."""
    document = parse_document(text, "r", "x")
    changes = merge_accounts(document.data, body)
    assert "planted" not in str(changes)
    written = document.dump()
    assert written.endswith("# the end\nport: 1\n")
    return parse_document(written, "r", "x").data["chatgpts"], changes, written


def refused(body):
    with pytest.raises(RequestError) as caught:
        put(body)
    assert "planted" not in caught.value.message
    return caught.value.status, caught.value.param


def new(value):
    return {"index": -1, "set": False, "value": value}


def test_nothing_changes():
    assert put(accounts())[1:] == ([], FILE)


def test_an_account_is_added_with_strings_only():
    listed, changes, _ = put(
        [*accounts(), {"index": -1, "access_token": new("123"), "type": "yes"}]
    )
    assert listed[2] == {"access_token": "123", "type": "yes"}
    assert changes == ["account *** added", "2 accounts untouched"]


def test_secrets_are_kept_by_the_accounts_index():
    one, two = accounts()
    two["refresh_token"]["index"] = 99
    two["email"] = "2@example.com"
    listed, changes, written = put([two, one])
    assert listed[0] == {
        "refresh_token": "rt-two-planted-2222",
        "account_id": "two",
        "proxy": "http://u:planted@h:1",
        "email": "2@example.com",
    }
    assert listed[1]["access_token"] == "eyJ-one-planted-1111"
    assert changes == [
        "account 2@example.com: email changed",
        "order of accounts changed",
        "1 account untouched",
    ]
    assert "# of May" in written


def test_a_new_token_takes_the_place_of_the_old():
    one, two = accounts()
    one["access_token"]["value"] = "Bearer eyJ.new"
    listed, changes, _ = put([one, two])
    assert listed[0] == {
        "access_token": "eyJ.new",
        "email": "one@example.com",
        "expired": "2025-12-09",
    }
    assert changes == ["account one@example.com: access_token changed", "1 account untouched"]


def test_a_token_is_taken_away():
    one, _ = accounts()
    one["access_token"] = {"set": False}
    one["refresh_token"] = new("rt-new")
    (listed,), changes, _ = put([one])
    assert (listed["access_token"], listed["refresh_token"]) == ("", "rt-new")
    assert changes == [
        "account two removed",
        "account one@example.com: access_token, refresh_token changed",
    ]


def test_an_account_without_anything_is_dropped():
    nothing = dict.fromkeys(ENTRY_FIELDS[3:], "") | {"access_token": {"set": False}}
    listed, changes, _ = put([{"index": 1, **nothing, "refresh_token": {}}, nothing])
    assert list(listed) == []
    assert changes == ["account one@example.com removed", "account two removed"]


def test_fields_that_are_not_sent_stay():
    listed, changes, _ = put([{"index": 0, "type": "plus"}, {"index": 1}])
    assert listed[0] == {
        "access_token": "eyJ-one-planted-1111",
        "email": "one@example.com",
        "expired": "2025-12-09",
        "type": "plus",
    }
    assert changes == ["account one@example.com: type changed", "1 account untouched"]


def test_a_proxy_keeps_its_password_while_unchanged():
    _, two = accounts()
    assert two["proxy"] == "http://***@h:1"
    two["proxy"] = "http://***@elsewhere:1"
    assert refused([two]) == (400, "chatgpts[0].proxy")
    two["proxy"] = "socks5://h:2"
    assert put([two])[0][0]["proxy"] == "socks5://h:2"


def test_accounts_that_share_their_yaml_are_told_apart():
    text = "chatgpts:\n  - &x {access_token: a, email: b}\n  - *x\n  - access_token: z\n# the end\nport: 1\n"
    one, two, three = accounts(text)
    two["email"] = "c"
    listed, _, _ = put([one, two, three], text)
    assert [entry.get("email") for entry in listed] == ["b", "c", None]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (None, "chatgpts"),
        ([7], "chatgpts[0]"),
        ([{"index": 2}], "chatgpts[0].index"),
        ([{"index": 0}, {"index": 0}], "chatgpts[1].index"),
        ([{"access_token": "planted"}], "chatgpts[0].access_token"),
        ([{"access_token": {"set": True}}], "chatgpts[0].access_token"),
        ([{"access_token": new("eyJhbG...Qx9w")}], "chatgpts[0].access_token.value"),
        ([{"email": "x"}], "chatgpts[0].access_token"),
        ([{"index": 0, "email": None}], "chatgpts[0].email"),
        ([{"index": 0, "email": "a\nplanted"}], "chatgpts[0].email"),
        ([{"index": 0, "proxy": "ftp://planted"}], "chatgpts[0].proxy"),
        ([{"index": 0, "mail": "x"}], "chatgpts[0].mail"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(body, param):
    assert refused(body) == (400, param)


def test_a_secret_never_goes_to_another_account():
    one, two = accounts()
    one["index"], two["index"] = 1, 0
    with pytest.raises(Conflict):
        put([one])
