"""`python app.py [options]`: read, check, show, then serve."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from chat2api.logs import log_uncaught_errors
from chat2api.serve.application import BuildApp, Server
from chat2api.serve.console import leaving_plainly, set_up_logs, show
from chat2api.serve.keeper import SettingsKeeper
from chat2api.serve.options import bind_address
from chat2api.serve.prepare import prepare_state
from chat2api.serve.start import check_address, make_room, prepare_data_dir
from chat2api.serve.upstream import simulator_process
from chat2api.settings.demo import DEMO_KEY, apply_demo, refuse_public_host, with_upstream
from chat2api.settings.load import LoadedSettings, load_settings
from chat2api.settings.model import Settings
from chat2api.settings.version import version

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Options:
    """The command line. Values are checked with the settings, so that all mistakes look alike."""

    host: str | None = None
    port: str | None = None
    base_url: str | None = None
    config: str | None = None
    workers: str | None = None
    demo: bool = False


def serve_options(command: Command) -> Command:
    """The options of a command that serves; it is called with the fields of `Options`."""
    for option in (
        click.option("--demo", is_flag=True, help="Try it: embedded upstream, no key, 127.0.0.1."),
        click.option("--workers", help="Worker processes."),
        click.option("--config", help="YAML file with settings."),
        click.option("--base_url", "--base-url", help="How clients reach this server."),
        click.option("--port", help="Port to listen on."),
        click.option("--host", help="Address to listen on."),
    ):
        command = option(command)
    return command


def run(
    argv: Sequence[str],
    build: BuildApp,
    environ: Mapping[str, str],
    warm: Callable[[], None] = lambda: None,
) -> None:
    """Serve as the command line says. Always leaves by SystemExit.

    `warm` imports what the workers need, once for all of them; it builds nothing.

    Exit codes: 0 after a drain; 69 address in use, or no demo upstream; 73 data directory not
    writable; 78 settings wrong; 2 command line not understood.
    """

    @click.command()
    @serve_options
    @click.version_option(version(), prog_name="chat2api")
    def command(**options: Any) -> None:
        """Turn the chat accounts you own into standard APIs."""
        serve(Options(**options), build, environ, warm)

    command.main(args=list(argv), prog_name="app.py")


def serve(
    options: Options,
    build: BuildApp,
    environ: Mapping[str, str],
    warm: Callable[[], None] = lambda: None,
) -> None:
    """Start the server and stay until it ended. Leaves by SystemExit."""
    with leaving_plainly():
        _serve(options, build, environ, warm)


def load(options: Options, environ: Mapping[str, str]) -> LoadedSettings:
    """The settings for this command line. Raises SettingsError."""
    if options.demo:
        refuse_public_host(options.host)
    loaded = load_settings(
        cli={
            "host": options.host,
            "port": options.port,
            "public_base_url": options.base_url,
            "workers": options.workers,
        },
        environ=environ,
        config_path=None if options.config is None else Path(options.config),
        cwd=Path.cwd(),
    )
    return apply_demo(loaded) if options.demo else loaded


def _serve(
    options: Options, build: BuildApp, environ: Mapping[str, str], warm: Callable[[], None]
) -> None:
    settings = load(options, environ).settings
    set_up_logs(settings)
    log_uncaught_errors()
    prepare_data_dir(settings.data_dir)
    check_address(settings.host, settings.port)
    make_room(settings.worker_connections)
    with ExitStack() as until_the_end:
        keeper = SettingsKeeper(lambda: load(options, environ))
        when_ready = None
        if options.demo:
            tokens_file = settings.data_dir / "token.txt"
            url = until_the_end.enter_context(simulator_process(environ, tokens_file))
            keeper = SettingsKeeper(lambda: with_upstream(load(options, environ), url))
            when_ready = _demo_greeting(settings)
        show(keeper.current())
        prepare_state(keeper.current().settings)
        warm()
        Server(keeper, build, when_ready).run()


def _demo_greeting(settings: Settings) -> Callable[[tuple[str, int]], None]:
    path = f"/{settings.api_prefix}/v1" if settings.api_prefix else "/v1"

    def greet(address: tuple[str, int]) -> None:
        here = f"http://{bind_address(*address)}"
        url = f"{here}{path}"
        click.echo(
            f"\nThe demo is ready at {url}: no key needed. Try:\n\n"
            f"  curl -N {url}/chat/completions -H 'Content-Type: application/json' \\\n"
            """    -d '{"model":"auto","stream":true,"""
            """"messages":[{"role":"user","content":"Hello!"}]}'\n\n"""
            f"The operator's pages are at {here}/admin: {_admin_secret(settings)} opens them.\n"
            f"With the key {DEMO_KEY} there are more models, and an upstream with tools of its own\n"
            f"(compat-large). Clients of Anthropic's API: {here}{path.removesuffix('/v1')}, and that key.\n"
            "What else there is: send /sim help.\n"
            "Ctrl-C ends it.\n"
        )
        sys.stdout.flush()

    return greet


def _admin_secret(settings: Settings) -> str:
    """What opens the pages, in words; only the demo's own key is said."""
    if settings.admin_password is not None:
        return "your ADMIN_PASSWORD"
    is_demo_key = [key.reveal() for key in settings.authorization] == [DEMO_KEY]
    return f"the key {DEMO_KEY}" if is_demo_key else "one of your keys (AUTHORIZATION)"
