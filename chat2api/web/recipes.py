"""How eleven clients are set up for this server: exact addresses, files, commands and steps.

Pure: where the API is, a key and a model come in. Addresses differ: some clients want `/v1` at the end,
others add it themselves. Texts that a machine reads are quoted for it, since a model's name is the
upstream's and an address the operator's.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

PLACEHOLDER = "YOUR_API_KEY"
"""Stands where a key belongs that is not known."""

_HELLO = "Say hello."
# Not CHAT2API_…: the server itself refuses to start with such a variable that it does not know.
_CODEX_VARIABLE = "CHAT_SERVER_KEY"
_LOOPBACK = re.compile(r"localhost|127(?:\.\d+){3}|\[?::1\]?")

Say = Callable[[str], str]
"""A text in the reader's language, by its English one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the API is. `origin` has no slash at its end; `prefix` is API_PREFIX, without slashes.

    `key` is None where it is not known. `served` are the paths that this server has, such as
    `/v1/responses`.
    """

    origin: str
    prefix: str = ""
    key: str | None = None
    model: str = "auto"
    served: Collection[str] = ()

    @property
    def root(self) -> str:
        """For clients that add `/v1` themselves."""
        return f"{self.origin}/{self.prefix}" if self.prefix else self.origin

    @property
    def api(self) -> str:
        """For clients that want `/v1` in the address."""
        return f"{self.root}/v1"

    @property
    def key_text(self) -> str:
        return self.key or PLACEHOLDER

    @property
    def is_loopback(self) -> bool:
        return bool(_LOOPBACK.fullmatch(urlsplit(self.origin).hostname or ""))


@dataclass(frozen=True, slots=True)
class Block:
    """Something to copy as it is. `title` is a file's name, or empty; `language` names its grammar."""

    text: str
    language: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One client. `client` is fit for an id in a page; `fields` are labels and values of its own form.

    `missing` is a path that the client needs and this server does not have; empty when all is there.
    `import_link` opens the client and carries the key, so it never is an http address.
    """

    client: str
    name: str
    address: str
    steps: Sequence[str] = ()
    fields: Sequence[tuple[str, str]] = ()
    blocks: Sequence[Block] = ()
    notes: Sequence[str] = ()
    missing: str = ""
    import_link: str = ""


def recipes(place: Place, gettext: Say) -> tuple[Recipe, ...]:
    """All of them, in the order in which they are shown."""
    makers = (
        _openai_python,
        _openai_node,
        _curl,
        _codex,
        _claude_code,
        _open_webui,
        _cherry_studio,
        _nextchat,
        _chatbox,
        _langchain,
        _aider,
    )
    return tuple(make(place, gettext) for make in makers)


def model_for(known: Collection[str], patterns: Sequence[str] = ()) -> str:
    """A model that exists here and that a key with these patterns may use; `auto` where it may."""
    for name in ("auto", *sorted(known)):
        if not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            return name
    return next((text for text in patterns if not re.search(r"[*?\[]", text)), patterns[0])


# --- libraries and the shell


def _openai_python(place: Place, gettext: Say) -> Recipe:
    text = (
        "from openai import OpenAI\n\n"
        f"client = OpenAI(base_url={_quoted(place.api)}, api_key={_quoted(place.key_text)})\n"
        "answer = client.chat.completions.create(\n"
        f"    model={_quoted(place.model)},\n"
        f'    messages=[{{"role": "user", "content": "{_HELLO}"}}],\n'
        ")\n"
        "print(answer.choices[0].message.content)\n"
    )
    return Recipe(
        "openai-python",
        "openai · Python",
        place.api,
        blocks=(Block("pip install openai\n", "sh"), Block(text, "python", "hello.py")),
    )


def _openai_node(place: Place, gettext: Say) -> Recipe:
    text = (
        'import OpenAI from "openai";\n\n'
        f"const client = new OpenAI({{ baseURL: {_quoted(place.api)}, "
        f"apiKey: {_quoted(place.key_text)} }});\n"
        "const answer = await client.chat.completions.create({\n"
        f"  model: {_quoted(place.model)},\n"
        f'  messages: [{{ role: "user", content: "{_HELLO}" }}],\n'
        "});\n"
        "console.log(answer.choices[0].message.content);\n"
    )
    return Recipe(
        "openai-node",
        "openai · Node",
        place.api,
        blocks=(Block("npm install openai\n", "sh"), Block(text, "javascript", "hello.mjs")),
    )


def _curl(place: Place, gettext: Say) -> Recipe:
    message = {"role": "user", "content": _HELLO}
    body = json.dumps(
        {"model": place.model, "stream": True, "messages": [message]}, ensure_ascii=False
    )
    text = (
        f"curl -N {shlex.quote(place.api + '/chat/completions')} \\\n"
        f"  -H {shlex.quote(f'Authorization: Bearer {place.key_text}')} \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}\n"
    )
    return Recipe("curl", "curl", place.api, blocks=(Block(text, "sh"),))


def _langchain(place: Place, gettext: Say) -> Recipe:
    text = (
        "from langchain_openai import ChatOpenAI\n\n"
        "chat = ChatOpenAI(\n"
        f"    base_url={_quoted(place.api)},\n"
        f"    api_key={_quoted(place.key_text)},\n"
        f"    model={_quoted(place.model)},\n"
        ")\n"
        f'print(chat.invoke("{_HELLO}").content)\n'
    )
    return Recipe(
        "langchain",
        "LangChain",
        place.api,
        blocks=(Block("pip install langchain-openai\n", "sh"), Block(text, "python", "hello.py")),
    )


# --- command lines that write code


def _codex(place: Place, gettext: Say) -> Recipe:
    config = (
        f"model = {_quoted(place.model)}\n"
        'model_provider = "chat2api"\n\n'
        "[model_providers.chat2api]\n"
        'name = "chat2api"\n'
        f"base_url = {_quoted(place.api)}\n"
        f'env_key = "{_CODEX_VARIABLE}"\n'
        'wire_api = "responses"\n'
    )
    start = f"{_exported(_CODEX_VARIABLE, place.key_text)}codex\n"
    return Recipe(
        "codex",
        "Codex CLI",
        place.api,
        steps=(
            gettext("Put this into the file; the first two lines stand above every [section]."),
            gettext("Start it in a shell that knows the key."),
        ),
        blocks=(Block(config, "toml", "~/.codex/config.toml"), Block(start, "sh")),
        missing=_missing(place, "/v1/responses"),
    )


def _claude_code(place: Place, gettext: Say) -> Recipe:
    text = (
        "unset ANTHROPIC_API_KEY\n"
        + _exported("ANTHROPIC_BASE_URL", place.root)
        + _exported("ANTHROPIC_AUTH_TOKEN", place.key_text)
        + _exported("ANTHROPIC_MODEL", place.model)
        + _exported("ANTHROPIC_DEFAULT_HAIKU_MODEL", place.model)
        + _exported("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        + "claude\n"
    )
    return Recipe(
        "claude-code",
        "Claude Code",
        place.root,
        blocks=(Block(text, "sh"),),
        notes=(gettext("The address has no /v1: this client adds it."),),
        missing=_missing(place, "/v1/messages"),
    )


def _aider(place: Place, gettext: Say) -> Recipe:
    text = (
        _exported("OPENAI_API_BASE", place.api)
        + _exported("OPENAI_API_KEY", place.key_text)
        + f"aider --model {shlex.quote(f'openai/{place.model}')}\n"
    )
    return Recipe(
        "aider",
        "aider",
        place.api,
        blocks=(Block(text, "sh"),),
        notes=(gettext("The word openai/ before the model is the client's own; keep it."),),
    )


# --- applications with a form


def _open_webui(place: Place, gettext: Say) -> Recipe:
    host = "  --add-host=host.docker.internal:host-gateway \\\n" if place.is_loopback else ""
    run = (
        "docker run -d --name open-webui -p 3000:8080 \\\n"
        "  -v open-webui:/app/backend/data \\\n"
        f"{host}  -e {shlex.quote(f'OPENAI_API_BASE_URL={_from_container(place)}')} \\\n"
        f"  -e {shlex.quote(f'OPENAI_API_KEY={place.key_text}')} \\\n"
        "  ghcr.io/open-webui/open-webui:main\n"
    )
    inside = gettext(
        "Inside a container, 127.0.0.1 is the container itself; there this machine is called host.docker.internal, in the form too."
    )
    return Recipe(
        "open-webui",
        "Open WebUI",
        place.api,
        steps=(
            gettext("Open Admin Settings, then Connections."),
            gettext("Under OpenAI API add a connection with this address and key, and save."),
            gettext("Or give a new container both from the start:"),
        ),
        fields=_fields(place, gettext, place.api, with_model=False),
        blocks=(Block(run, "sh"),),
        notes=(inside,) if place.is_loopback else (),
    )


def _from_container(place: Place) -> str:
    """The API's address as a container on the same machine reaches it."""
    if not place.is_loopback:
        return place.api
    port = urlsplit(place.api).port
    own = "host.docker.internal" if port is None else f"host.docker.internal:{port}"
    return urlsplit(place.api)._replace(netloc=own).geturl()


def _cherry_studio(place: Place, gettext: Say) -> Recipe:
    config = {
        "id": _slug(place),
        "name": "chat2api",
        "type": "openai",
        "baseUrl": place.root,
        "apiKey": place.key_text,
    }
    return Recipe(
        "cherry-studio",
        "Cherry Studio",
        place.root,
        steps=(
            gettext("Open Settings, then Model Provider, and add a provider of the type OpenAI."),
            gettext("Enter this address and key; the client adds /v1 to the address."),
            gettext("Under Models press Manage, or add the model by its name."),
        ),
        fields=_fields(place, gettext, place.root),
        import_link=_link(place, "cherrystudio://providers/api-keys?v=1&data=", config),
    )


def _nextchat(place: Place, gettext: Say) -> Recipe:
    own = (
        f"{_variable('BASE_URL', place.root)}\n"
        f"{_variable('OPENAI_API_KEY', place.key_text)}\n"
        f"{_variable('CUSTOM_MODELS', f'-all,+{place.model}')}\n"
    )
    mixed = gettext(
        "A NextChat that is opened over https cannot call an http address: browsers refuse that."
    )
    is_mixed = place.origin.startswith("http://") and not place.is_loopback
    return Recipe(
        "nextchat",
        "NextChat",
        place.root,
        steps=(
            gettext("Open Settings, switch Custom Endpoint on and choose OpenAI."),
            gettext("Enter this address and key; the client adds /v1 to the address."),
            gettext("Enter the model under Custom Models, and choose it."),
            gettext("Or set these variables where you run your own NextChat:"),
        ),
        fields=_fields(place, gettext, place.root),
        blocks=(Block(own, "env", ".env"),),
        notes=(mixed,) if is_mixed else (),
    )


def _chatbox(place: Place, gettext: Say) -> Recipe:
    host, path = _host_and_path(place)
    settings = {
        "apiHost": host,
        "apiPath": path,
        "apiKey": place.key_text,
        "models": [{"modelId": place.model, "type": "chat"}],
    }
    config = {
        "id": _slug(place),
        "name": "chat2api",
        "type": "openai",
        "urls": {"website": host},
        "settings": settings,
    }
    return Recipe(
        "chatbox",
        "ChatBox",
        host,
        steps=(
            gettext("Open Settings, then Model Provider, and add a provider in the OpenAI mode."),
            gettext("Enter these four, then add the model by its name."),
        ),
        fields=(
            (gettext("API host"), host),
            (gettext("API path"), path),
            (gettext("API key"), place.key_text),
            (gettext("Model"), place.model),
        ),
        import_link=_link(place, "chatbox://provider/import?config=", config),
    )


# --- parts


def _fields(
    place: Place, gettext: Say, address: str, *, with_model: bool = True
) -> tuple[tuple[str, str], ...]:
    both = ((gettext("API address"), address), (gettext("API key"), place.key_text))
    return (*both, (gettext("Model"), place.model)) if with_model else both


def _missing(place: Place, path: str) -> str:
    return "" if path in place.served else path


def _quoted(text: str) -> str:
    """A string of JSON is one of Python, JavaScript and TOML as well."""
    return json.dumps(text, ensure_ascii=False)


def _exported(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}\n"


def _variable(name: str, value: str) -> str:
    """A line of an .env file; quoted only where it must be, since not every reader takes quotes off."""
    return f"{name}={value}" if re.fullmatch(r"[\w./:+,-]+", value) else f"{name}={_quoted(value)}"


def _host_and_path(place: Place) -> tuple[str, str]:
    parts = urlsplit(place.api)
    return f"{parts.scheme}://{parts.netloc}", f"{parts.path}/chat/completions"


def _slug(place: Place) -> str:
    """What clients tell providers by: the same server twice is one."""
    return f"chat2api-{re.sub(r'[^a-z0-9]+', '-', urlsplit(place.origin).netloc.lower())}"


def _link(place: Place, start: str, config: Mapping[str, object]) -> str:
    """Without a key there is nothing to carry over."""
    return "" if place.key is None else start + _packed(config)


def _packed(config: Mapping[str, object]) -> str:
    """Base64 of JSON, free of the two characters (`+` and `/`) that clients exchange for different ones.

    In ASCII only `>`, `?`, `~` and DEL ever lead to them, and JSON can spell those otherwise.
    """
    text = json.dumps(dict(config))
    for char in ">?~\x7f":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return base64.b64encode(text.encode()).decode().replace("=", "%3D")
