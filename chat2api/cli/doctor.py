"""`python -m chat2api doctor`: everything that commonly stands in the way, each with its cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chat2api.cli.place import config_option, json_option
from chat2api.cli.tables import as_json as to_json

if TYPE_CHECKING:
    from chat2api.cli.checks.finding import Finding
    from chat2api.settings.model import Settings


@click.command()
@config_option
@json_option
@click.pass_obj
def doctor(environ: Mapping[str, str] | None, config_path: Path | None, as_json: bool) -> None:
    """Look for what stands in the way: settings, disk, database, clock, upstream, proxies.

    Changes nothing. Exits with 1 when something fails; warnings do not count.

    \b
    Example: chat2api doctor
    """
    findings: list[Finding] = []
    for finding in _findings(config_path, environ or {}):
        findings.append(finding)
        if not as_json:
            click.echo("\n".join(_lines(finding)))
    failed = [finding for finding in findings if finding.grade == "fail"]
    if as_json:
        click.echo(to_json({"ok": not failed, "checks": [asdict(one) for one in findings]}))
    else:
        click.echo(_verdict(findings))
    if failed:
        raise SystemExit(1)


def _findings(config_path: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """As they come: some checks wait for the network."""
    from chat2api.cli.checks.configuration import read_settings

    loaded, found = read_settings(config_path, environ, Path.cwd())
    yield from found
    if loaded is not None:
        yield from _with_settings(loaded.settings)


def _with_settings(settings: Settings) -> Iterator[Finding]:
    from chat2api.cli.checks.database import check_database
    from chat2api.cli.checks.machine import check_compute, check_data_dir, check_files, check_port
    from chat2api.cli.checks.upstream import check_upstream
    from chat2api.cli.workshop import opened_egress
    from chat2api.factory.assembly import oauth_options
    from chat2api.providers.oauth.endpoint import token_urls

    yield from check_data_dir(settings)
    yield from check_database(settings)
    yield check_files(settings)
    with opened_egress(settings) as egress:
        yield check_port(settings, egress.transport)
        yield check_compute(egress.compute)
        yield from check_upstream(settings, egress.transport, token_urls(oauth_options(settings)))


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.grade:<4}  {finding.check}: {finding.text}"
    if finding.cure:
        yield f"      -> {finding.cure}"


def _verdict(findings: Sequence[Finding]) -> str:
    number = {
        grade: sum(one.grade == grade for one in findings) for grade in ("ok", "warn", "fail")
    }
    return f"{number['ok']} ok, {number['warn']} to look at, {number['fail']} failed"
