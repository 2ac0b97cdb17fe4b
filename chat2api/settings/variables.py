"""Settings from the environment and from `.env`: names, prefix, `_FILE` secrets, proxy variables.

Nothing is exported: what `.env` says stays in the values returned here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dotenv.parser import parse_stream

from chat2api.settings.fields import SettingField
from chat2api.settings.problems import Problem

PREFIX = "CHAT2API_"
CONFIG_VARIABLE = PREFIX + "CONFIG"

# A Kubernetes service (or a Docker link) named "chat2api" puts these into every container beside it,
# CHAT2API_PORT=tcp://10.0.0.7:80 among them. Nobody wrote them, so nobody is told off for them.
_SERVICE_LINK = re.compile(
    r"CHAT2API_(SERVICE_HOST|SERVICE_PORT(_\w+)?|NAME|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+")
# Most specific first: the upstream speaks https.
_PROXY_VARIABLES = ("https_proxy", "all_proxy", "http_proxy")
_LARGEST_SECRET_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A raw value, where it came from (for people), and under which name it was written.

    `line` is that of the YAML file, from 1; None elsewhere.
    """

    value: object
    source: str
    written_as: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Variables:
    """All variables that are set (empty ones are not), the real environment before `.env`."""

    values: Mapping[str, str]
    origins: Mapping[str, str]

    def found(self, name: str) -> Found | None:
        if name not in self.values:
            return None
        return Found(self.values[name], f"{self.origins[name]} {name}", name)


def read_variables(
    environ: Mapping[str, str], dotenv_path: Path, problems: list[Problem]
) -> Variables:
    """The environment, completed by `.env` when that file exists."""
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for origin, layer in ((".env", _dotenv(dotenv_path, problems)), ("environment", environ)):
        for name, value in layer.items():
            if value.strip():
                values[name] = value
                origins[name] = origin
    return Variables(values, origins)


def _dotenv(path: Path, problems: list[Problem]) -> dict[str, str]:
    """The assignments of a `.env` file. `$NAME` is left as it is: keys and passwords contain it."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        problems.append(Problem(".env", "cannot be read as UTF-8 text"))
        return {}
    values: dict[str, str] = {}
    for binding in bindings:
        if binding.error:
            problems.append(Problem(f".env line {binding.original.line}", "is not NAME=value"))
        elif binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    return values


def find_variable(
    field: SettingField, variables: Variables, cwd: Path, problems: list[Problem]
) -> Found | None:
    """The value of one setting: CHAT2API_NAME before NAME, or the content of a `_FILE`."""
    if not field.in_environment:
        return None
    names = [PREFIX + field.variable]
    if field.plain_name_counts:
        names.append(field.variable)
    for name in names:
        direct = variables.found(name)
        if direct is not None and _is_service_address(field, direct):
            direct = None
        by_file = variables.found(f"{name}_FILE") if field.secret else None
        if direct is not None and by_file is not None:
            problems.append(Problem(name, f"is set, and {name}_FILE too; keep one of them"))
        if direct is not None:
            return direct
        if by_file is not None:
            return _read_secret_file(by_file, cwd, problems)
    return None


def _is_service_address(field: SettingField, found: Found) -> bool:
    return field.name == "port" and bool(_SERVICE_ADDRESS.fullmatch(str(found.value)))


def _read_secret_file(pointer: Found, cwd: Path, problems: list[Problem]) -> Found | None:
    path = cwd / Path(str(pointer.value).strip()).expanduser()
    try:
        with path.open(encoding="utf-8-sig") as stream:
            text = stream.read(_LARGEST_SECRET_FILE + 1)
    except (OSError, UnicodeDecodeError):
        problems.append(Problem(pointer.written_as, "names a file that cannot be read", str(path)))
        return None
    if not text.strip() or len(text) > _LARGEST_SECRET_FILE:
        problems.append(Problem(pointer.written_as, "names an empty or too large file", str(path)))
        return None
    return Found(text, pointer.source, pointer.written_as)


def refuse_unknown(
    fields: Mapping[str, SettingField], variables: Variables, problems: list[Problem]
) -> None:
    """Add a problem for every CHAT2API_ variable that is no setting. Its value may be secret: not shown."""
    known = {"CONFIG"}
    for field in fields.values():
        if not field.in_environment:
            continue
        known.add(field.variable)
        if field.secret:
            known.add(f"{field.variable}_FILE")
    for name in sorted(variables.values):
        bare = name.removeprefix(PREFIX)
        if bare != name and bare not in known and not _SERVICE_LINK.fullmatch(name):
            where = f"{name} ({variables.origins[name]})"
            # Only secrets come from files: of another setting the name itself is what helps.
            stem = bare.removesuffix("_FILE")
            meant = stem if stem in known else bare
            problems.append(Problem(where, unknown_message(meant, known, PREFIX)))


def unknown_message(name: str, known: Iterable[str], prefix: str = "") -> str:
    """ "is not a setting", with the nearest known name (shown with `prefix`) when one is near."""
    by_lower_case = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), sorted(by_lower_case), n=1)
    suggestion = f"; did you mean {prefix}{by_lower_case[near[0]]}?" if near else ""
    return f"is not a setting{suggestion}"


def find_proxy(variables: Variables, upstreams: tuple[str, ...]) -> Found | None:
    """The conventional proxy variable, unless `no_proxy` exempts every upstream."""
    if all(_is_exempt(url, _any_case(variables, "no_proxy")) for url in upstreams):
        return None
    return next(filter(None, (_any_case(variables, name) for name in _PROXY_VARIABLES)), None)


def _any_case(variables: Variables, name: str) -> Found | None:
    return variables.found(name) or variables.found(name.upper())


def _is_exempt(url: str, no_proxy: Found | None) -> bool:
    if no_proxy is None:
        return False
    host = (urlsplit(url).hostname or "").lower()
    for entry in str(no_proxy.value).lower().split(","):
        suffix = entry.strip().lstrip("*").lstrip(".")
        if entry.strip() == "*" or (suffix and (host == suffix or host.endswith("." + suffix))):
            return True
    return False
