"""The reader of Dockerfiles that the other tests here lean on."""

from __future__ import annotations

from pathlib import Path

import pytest

from .image import (
    Instruction,
    context,
    copies,
    environment,
    lay_out,
    parse_dockerfile,
    parse_ignore,
)


def test_continued_lines_comments_flags_and_forms() -> None:
    text = """
    # a comment
    env A=1 \\
        # one in between
        B="two words"
    COPY --chown=1:1 --link a b/ c/
    CMD ["python", "app.py"]
    """
    assert parse_dockerfile(text) == [
        Instruction("ENV", {}, 'A=1 B="two words"'),
        Instruction("COPY", {"chown": "1:1", "link": ""}, "a b/ c/"),
        Instruction("CMD", {}, '["python", "app.py"]'),
    ]


def test_words_and_environment() -> None:
    shell, listed, env, copy = parse_dockerfile(
        'CMD python app.py\nCMD ["python", "a b"]\nENV A=1 B=\'x y\'\nCOPY a b/ c/'
    )
    assert (shell.exec_form, shell.words) == (None, ["python", "app.py"])
    assert listed.exec_form == listed.words == ["python", "a b"]
    assert environment([env]) == {"A": "1", "B": "x y"}
    assert copies([copy]) == [(["a", "b/"], "c/")]


@pytest.mark.parametrize("text", ["RUN", "RUN a \\", "--from=x y"])
def test_what_is_no_dockerfile(text: str) -> None:
    with pytest.raises(ValueError, match=r"no instruction|continued by nothing"):
        parse_dockerfile(text)


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("secret", True),
        ("src/a.py", False),
        ("src/deep/a.pyc", True),
        ("src/__pycache__/a.py", True),
        ("src/.env", True),
        ("conf/app.prod.yaml", True),
        ("conf/app.demo.yaml", False),
        ("srcs/a.py", True),
    ],
)
def test_the_last_pattern_decides(path: str, hidden: bool) -> None:
    ignore = parse_ignore(
        "# all\n*\n!src\n!conf/app.demo.yaml\n**/__pycache__\n**/*.py[cod]\n\n**/.*\n"
    )
    assert ignore.hides(path) is hidden


def test_a_layout_is_what_copy_makes(tmp_path: Path) -> None:
    root, app = tmp_path / "root", tmp_path / "app"
    for name in ("one.py", "two.py", "lib/deep/x.py", "lib/x.pyc", "conf/a.yaml", "conf/b.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    ignore = parse_ignore("*\n!*.py\n!lib\n!conf/a.yaml\n**/*.pyc")
    assert context(root, ignore) == ["conf/a.yaml", "lib/deep/x.py", "one.py", "two.py"]
    steps = parse_dockerfile("COPY one.py ./\nCOPY lib/ lib/\nCOPY conf/a.yaml conf/")
    lay_out(steps, root, ignore, app)
    there = [path.relative_to(app).as_posix() for path in app.rglob("*") if path.is_file()]
    assert sorted(there) == ["conf/a.yaml", "lib/deep/x.py", "one.py"]
    with pytest.raises(FileNotFoundError, match=r"COPY conf/b\.yaml"):
        lay_out(parse_dockerfile("COPY conf/b.yaml conf/"), root, ignore, app)
