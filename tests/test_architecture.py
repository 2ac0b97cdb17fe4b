"""The house rules that a machine can check. Exceptions are listed here, each with its reason."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "chat2api"
TESTS = ROOT / "tests"
ENTRY = [path for name in ("app.py", "gunicorn.conf.py") if (path := ROOT / name).exists()]

FILE_LINES = 450
FUNCTION_LINES = 60
SMALL_MODULE_LINES = 20
"""Lines of code up to which a module may go without a test file of its own."""

LONG_FILES: dict[str, str] = {
    "tests/browser/test_desk_acts.py": "one server and one browser for all of it: starting them is dear",
}
LONG_FUNCTIONS: dict[str, str] = {
    "chat2api/store/migrations/versions/0001_the_first_schema.py:upgrade": "every table, as generated",
    "chat2api/store/migrations/versions/0002_the_desk.py:upgrade": "the same",
}

WITHOUT_MIRROR = {
    "chat/events.py": "values without behaviour; every codec and dialect test reads and writes them",
    "compute/protocol.py": "a Protocol and values; compute/test_*.py test what fulfils it",
    "dialects/protocol.py": "Protocols and values; each dialect's own test file fulfils them",
    "factory/desk.py": "wiring; every test of a page goes through it",
    "pool/protocol.py": "a Protocol; the contract suite of the stores tests what fulfils it",
    "pool/values.py": "values without behaviour; pool/test_policy.py and the stores use them",
    "providers/protocol.py": "Protocols and values; providers/test_contract.py tests what fulfils them",
    "store/columns.py": "what the tables are made of; store/test_tables.py compares them",
    "store/api_tables.py": "tables; store/test_tables.py compares them with the migrations",
    "store/desk_tables.py": "tables; store/test_tables.py compares them with the migrations",
    "store/migrations/versions/0001_the_first_schema.py": "store/test_tables.py compares what it makes",
    "store/migrations/versions/0002_the_desk.py": "the same",
    "store/migrations/versions/0003_responses.py": "the same",
    "simulator/faults/model.py": "values; faults/test_registry.py and each family's tests use them",
    "transport/protocol.py": "Protocols and values; transport/test_http.py tests what fulfils them",
}

WITHOUT_MODULE = {
    "test_architecture.py": "looks at the whole tree",
    "test_docs.py": "looks at the documents",
    "providers/chatgpt/test_decode_any.py": "laws of the turn decoder, too much for one file",
    "providers/chatgpt/test_decode_endings.py": "endings of the turn decoder, the same",
    "providers/chatgpt/test_decode_later.py": "pictures and stored conversations of it, the same",
    "providers/chatgpt/test_provider_failures.py": "failures of the sequence, too much for one file",
    "providers/test_accounts.py": "what a provider does with an account, over several modules",
    "providers/codex/test_laws.py": "laws of a stream, also against the simulated backend",
    "providers/openai_compatible/test_laws.py": "laws of a stream, against the simulated API",
    "providers/test_contract.py": "one suite for every provider with accounts",
    "service/test_completion_upstreams.py": "which of several upstreams answers, too much for one file",
    "store/test_contract.py": "one suite for every pool backend",
    "web/desk/test_hostile_input.py": "every page and form at once",
}

NO_MIRROR_FOLDERS = {
    "e2e",
    "entry",
    "recordings",
    "benchmarks",
    "deploy",
    "browser",
    "clients",
    "schemas",
}
"""Folders of tests that look at the whole server or at the repository, not at one module."""

MAY_READ_ENVIRONMENT = (
    "app.py",
    "gunicorn.conf.py",
    "chat2api/__main__.py",
    "chat2api/serve",
    "chat2api/settings/",
)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def source_files() -> list[Path]:
    """Everything of ours that is Python."""
    folders = [PACKAGE, TESTS, ROOT / "benchmarks"]
    return [*ENTRY, *sorted(path for folder in folders for path in folder.rglob("*.py"))]


def relative(path: Path, base: Path = ROOT) -> str:
    return path.relative_to(base).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


# --- imports


def test_every_import_contract_is_kept() -> None:
    """Contracts are in pyproject.toml. In a process of its own, since the linter sets up logging."""
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_package_files_are_empty() -> None:
    """Importing a room does nothing, and hides no cycle."""
    assert [
        relative(path) for path in PACKAGE.rglob("__init__.py") if path.read_text("utf-8").strip()
    ] == []


# --- the mirror


def code_lines(path: Path) -> int:
    """Lines that hold code: no blanks, comments or docstrings."""
    tree = parsed(path)
    docstrings: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            text = node.body[0]
            docstrings.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    plain = {tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT}
    plain |= {tokenize.ENDMARKER, tokenize.ENCODING}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type not in plain:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def mirror_of(module: Path) -> Path:
    """Where the test of a module stands: chat2api/x/y.py -> tests/x/test_y.py."""
    inside = module.relative_to(PACKAGE)
    name = inside.stem.strip("_")
    return TESTS / inside.parent / f"test_{name}.py"


def mirrored_tests() -> list[Path]:
    return sorted(
        path
        for path in TESTS.rglob("test_*.py")
        if not NO_MIRROR_FOLDERS & set(path.relative_to(TESTS).parts)
    )


def test_every_module_has_its_test() -> None:
    missing = [
        relative(module, PACKAGE)
        for module in modules()
        if not mirror_of(module).exists()
        and relative(module, PACKAGE) not in WITHOUT_MIRROR
        and code_lines(module) > SMALL_MODULE_LINES
    ]
    assert missing == []


def test_every_test_has_its_module() -> None:
    known = {mirror_of(module) for module in modules()}
    stray = [
        relative(test, TESTS)
        for test in mirrored_tests()
        if test not in known and relative(test, TESTS) not in WITHOUT_MODULE
    ]
    assert stray == []


def test_no_exception_from_the_mirror_is_stale() -> None:
    assert [name for name in WITHOUT_MIRROR if not (PACKAGE / name).exists()] == []
    assert [name for name in WITHOUT_MIRROR if mirror_of(PACKAGE / name).exists()] == []


# --- sizes


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function's name, with its file, and its length in lines from `def` to the end."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{relative(path)}:{node.name}", node.end_lineno - node.lineno + 1


def test_no_file_needs_a_table_of_contents() -> None:
    long = {
        relative(path): lines
        for path in source_files()
        if (lines := len(path.read_text("utf-8").splitlines())) > FILE_LINES
    }
    assert {name: lines for name, lines in long.items() if name not in LONG_FILES} == {}
    assert set(LONG_FILES) <= set(long), "no longer long: take it off the list"


def test_no_function_tells_two_stories() -> None:
    long = {
        name: lines
        for path in source_files()
        for name, lines in functions(path)
        if lines > FUNCTION_LINES
    }
    assert {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS} == {}
    assert set(LONG_FUNCTIONS) <= set(long), "no longer long: take it off the list"


# --- what the package may not do


def names_environment(node: ast.AST) -> bool:
    """`os.environ`, `os.getenv` and their like, also imported by name."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr=attr):
            return attr in names
        case ast.ImportFrom(module="os", names=aliases):
            return any(alias.name in names for alias in aliases)
    return False


def test_nothing_reads_the_environment_but_the_settings() -> None:
    assert [
        f"{relative(path)}:{getattr(node, 'lineno', 0)}"
        for path in [*ENTRY, *modules()]
        if not relative(path).startswith(MAY_READ_ENVIRONMENT)
        for node in ast.walk(parsed(path))
        if names_environment(node)
    ] == []


def is_call_of(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name in names
    return False


def test_nothing_prints_or_runs_text() -> None:
    assert [
        f"{relative(path)}:{getattr(node, 'lineno', 0)}"
        for path in [*ENTRY, *modules()]
        for node in ast.walk(parsed(path))
        if is_call_of(node, {"print", "eval", "exec", "breakpoint", "input"})
    ] == []


def test_every_module_says_what_it_holds() -> None:
    silent = [
        relative(path)
        for path in [*ENTRY, *modules()]
        if path.name != "__init__.py" and not ast.get_docstring(parsed(path))
    ]
    assert silent == []


def test_no_module_keeps_state() -> None:
    """Module-level names bound to an empty list, dict or set are state waiting to happen."""
    assert [
        f"{relative(path)}:{node.lineno}"
        for path in modules()
        for node in parsed(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_empty_container(node.value)
    ] == []


def is_empty_container(node: ast.expr | None) -> bool:
    match node:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Name(id="list" | "dict" | "set" | "defaultdict"), args=[]):
            return True
    return False


def test_no_test_is_named_by_the_clock() -> None:
    """gzip writes the time into what it packs; two collectors would disagree on such a parameter's name."""
    assert [
        f"{relative(path)}:{call.lineno}"
        for path in sorted(TESTS.rglob("*.py"))
        for call in calls_at_import(parsed(path))
        if ast.unparse(call.func) == "gzip.compress"
        and not any(keyword.arg == "mtime" for keyword in call.keywords)
    ] == []


def calls_at_import(tree: ast.Module) -> Iterator[ast.Call]:
    for node in tree.body:
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        parts = node.decorator_list if is_function else [node]
        for part in parts:
            yield from (found for found in ast.walk(part) if isinstance(found, ast.Call))
