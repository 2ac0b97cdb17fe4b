import pytest

from chat2api.settings.fields import setting_fields
from chat2api.settings.problems import Problem
from chat2api.settings.variables import Found
from chat2api.settings.yaml_file import read_yaml


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "chat.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        problems = []
        found = read_yaml(path, setting_fields(), problems)
        return found, [str(problem) for problem in problems]

    return read


def test_settings_by_their_lower_case_names(read):
    found, problems = read("port: 6000  # why\nauthorization: [a, b]\nhost:\n")
    assert problems == []
    assert found == {
        "port": Found(6000, "chat.yaml port", "port (chat.yaml)"),
        "authorization": Found(["a", "b"], "chat.yaml authorization", "authorization (chat.yaml)"),
    }


def test_an_unknown_key_is_a_problem_with_a_suggestion(read):
    assert read("prot: 1\nPORT: 2\nxyzzy: 3\n")[1] == [
        "prot (chat.yaml): is not a setting; did you mean port?",
        "PORT (chat.yaml): is not a setting; did you mean port?",
        "xyzzy (chat.yaml): is not a setting",
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
    assert read_yaml(tmp_path / "no.yaml", setting_fields(), problems) == {}
    assert [str(p) for p in problems] == [
        f"{tmp_path / 'no.yaml'}: the configuration file does not exist"
    ]
