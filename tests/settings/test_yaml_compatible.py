import pytest

from chat2api.secret import Secret
from chat2api.settings.compatible_entry import CompatibleEntry
from chat2api.settings.config_file import parse_document
from chat2api.settings.config_merge import merge
from chat2api.settings.config_raw import masked_text
from chat2api.settings.fields import setting_fields
from chat2api.settings.load import load_settings
from chat2api.settings.problems import SettingsError
from chat2api.settings.show import describe
from chat2api.settings.yaml_compatible import read_compatible
from chat2api.settings.yaml_file import parse_yaml
from chat2api.settings.yaml_place import Place

PLACE = Place("a.yaml", {}, ("providers", "openai_compatible"))
URL = "http://ollama:11434/v1"
PLAIN = {"name": "local", "base_url": URL}


def read(*items):
    problems = []
    return read_compatible(list(items), PLACE, problems), [str(problem) for problem in problems]


def test_all_fields():
    item = {
        **PLAIN,
        "api_key": "Bearer planted-key",
        "models": ["a", "vendor/b:7b", "a"],
        "proxy": "u:planted@h:1",
        "priority": -2,
    }
    (entry,), problems = read(item)
    assert problems == []
    assert entry == CompatibleEntry(
        "local",
        URL,
        Secret("planted-key"),
        ("a", "vendor/b:7b"),
        Secret("http://u:planted@h:1"),
        -2,
    )
    assert "planted" not in repr(entry)


@pytest.mark.parametrize("models", ["*", ["*"], None, "", []])
def test_what_is_left_out(models):
    assert read({**PLAIN, "models": models, "api_key": "", "proxy": None}) == (
        (CompatibleEntry("local", URL, None, ("*",), None, 1),),
        [],
    )


def test_models_in_one_text():
    ((entry,), _) = read({**PLAIN, "models": "a, b"})
    assert entry.models == ("a", "b")


@pytest.mark.parametrize("value", [None, []])
def test_nothing(value):
    problems = []
    assert read_compatible(value, PLACE, problems) == ()
    assert problems == []


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (3, "[0] (a.yaml): must hold `name: value` lines"),
        ({"base_url": URL}, "[0] (a.yaml): needs name"),
        ({"name": "local"}, "[0] (a.yaml): needs base_url"),
        ({**PLAIN, "key": "planted"}, "[0].key (a.yaml): is not a setting; did you mean api_key?"),
        ({**PLAIN, "name": "Local"}, "[0].name (a.yaml): must be 1 to 32 lower-case letters"),
        ({**PLAIN, "name": "chatgpt"}, "[0].name (a.yaml): is the name of a provider"),
        ({**PLAIN, "base_url": "ollama"}, "[0].base_url (a.yaml): must be an http:// or"),
        ({**PLAIN, "api_key": 77}, "[0].api_key (a.yaml): must be text; put the value in quotes"),
        ({**PLAIN, "api_key": "plan\nted"}, "[0].api_key (a.yaml): must not contain line breaks"),
        ({**PLAIN, "models": [1]}, "[0].models (a.yaml): must be a list of model names"),
        ({**PLAIN, "models": {"a": 1}}, "[0].models (a.yaml): must be a list of model names"),
        ({**PLAIN, "models": ["a", " "]}, "[0].models (a.yaml): every model must be 1 to 200"),
        ({**PLAIN, "proxy": "ftp://planted@h"}, "[0].proxy (a.yaml): must look like http://"),
        ({**PLAIN, "priority": "high"}, "[0].priority (a.yaml): must be a whole number"),
        ({**PLAIN, "priority": True}, "[0].priority (a.yaml): must be a whole number"),
        ({**PLAIN, "priority": 1001}, "[0].priority (a.yaml): must be a whole number"),
    ],
)
def test_mistakes_are_named_and_not_repeated(item, problem):
    entries, problems = read(item)
    assert entries == ()
    (found,) = problems
    assert found.startswith("providers.openai_compatible" + problem)
    assert "planted" not in found.replace("api_key", "")


def test_a_name_stands_once():
    entries, problems = read(PLAIN, PLAIN)
    assert len(entries) == 1
    assert problems == [
        "providers.openai_compatible[1].name (a.yaml): is the name of an entry above; each needs one"
    ]


def test_a_list_is_wanted():
    problems = []
    assert read_compatible({"name": "x"}, PLACE, problems) == ()
    assert "must be a list of upstreams" in str(problems[0])


# --- in a file, and beside variables

FILE = f"""\
providers:
  openai_compatible:
    - name: local  # ours
      base_url: {URL}
      api_key: planted-key-0123456789
      proxy: http://u:planted@h:1
      models: [a]
"""


def load(tmp_path, text=FILE, **environ):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    return load_settings(cli={}, environ=environ, config_path=path, cwd=tmp_path)


def test_from_a_file(tmp_path):
    loaded = load(tmp_path)
    (entry,) = loaded.settings.upstreams
    assert (entry.name, entry.models) == ("local", ("a",))
    shown = "\n".join(describe(loaded))
    assert f"local ({URL})  (a.yaml providers.openai_compatible)" in shown
    assert "planted" not in shown


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("providers: 3\n", "providers (a.yaml line 1): must hold openai_compatible"),
        (
            "providers:\n  openai: []\n",
            "providers.openai (a.yaml line 2): is not a setting; did you mean "
            "providers.openai_compatible?",
        ),
        ("openai_compatible: []\n", "openai_compatible (a.yaml line 1): is not a setting"),
        (
            FILE.replace("models: [a]", "model: a"),
            "providers.openai_compatible[0].model (a.yaml line 7): is not a setting; did you mean "
            "models?",
        ),
    ],
)
def test_problems_in_a_file(text, problem):
    problems = []
    parse_yaml(text, "a.yaml", setting_fields(), problems)
    assert next(str(one) for one in problems).startswith(problem)


def test_an_empty_section_is_none(tmp_path):
    for text in ("providers:\n", "providers: {}\n", "providers:\n  openai_compatible:\n"):
        assert load(tmp_path, text).settings.upstreams == ()


def test_one_by_variables_joins_those_of_the_file(tmp_path):
    (tmp_path / "key").write_text("planted\n")
    loaded = load(
        tmp_path,
        OPENAI_COMPATIBLE_BASE_URL="https://api.test/v1",
        OPENAI_COMPATIBLE_API_KEY_FILE="key",
        OPENAI_COMPATIBLE_MODELS="x, y",
        OPENAI_COMPATIBLE_PROXY="direct",
    )
    assert loaded.settings.upstreams[1] == CompatibleEntry(
        "openai_compatible", "https://api.test/v1", Secret("planted"), ("x", "y"), Secret("direct")
    )
    assert "planted" not in "\n".join(describe(loaded))


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        (
            {"OPENAI_COMPATIBLE_API_KEY": "planted"},
            "OPENAI_COMPATIBLE_API_KEY=***: is of no use without OPENAI_COMPATIBLE_BASE_URL",
        ),
        (
            {"OPENAI_COMPATIBLE_BASE_URL": URL, "OPENAI_COMPATIBLE_NAME": "local"},
            "OPENAI_COMPATIBLE_NAME: local is the name of an entry in the YAML file too",
        ),
        (
            {"OPENAI_COMPATIBLE_BASE_URL": "planted"},
            "OPENAI_COMPATIBLE_BASE_URL=planted: must be an http",
        ),
        ({"CHAT2API_OPENAI_COMPATIBLE": "[]"}, "CHAT2API_OPENAI_COMPATIBLE (environment): is not"),
    ],
)
def test_problems_of_variables(tmp_path, environ, problem):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, **environ)
    assert any(str(one).startswith(problem) for one in caught.value.problems)


def test_the_raw_view_shows_no_secret():
    shown = masked_text(FILE, "a.yaml", lambda text: text)
    assert "planted" not in shown.replace("planted-key-0123456789"[:6], "")
    for told in ("name: local", "# ours", f"base_url: {URL}", "api_key: plante...6789", "[a]"):
        assert told in shown
    other = masked_text("providers:\n  other: planted\n", "a.yaml", lambda text: text)
    assert "planted" not in other


def test_a_change_of_something_else_keeps_it_as_it_is():
    document = parse_document(FILE + "proxy: http://h:1\n", "", "a.yaml")
    merge(document, {"proxy": "http://h:2"}, None)
    assert document.dump() == FILE + 'proxy: "http://h:2"\n'
