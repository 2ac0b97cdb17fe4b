"""The settings: the configuration file as a form, a look at what a change does, and what is in use.

Saving has two steps that work without a script. What was typed rests sealed with the server meanwhile.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from flask import Response, request, url_for

from chat2api.errors import Chat2ApiError, Conflict, InternalError, NoConfigFile, RequestError
from chat2api.secret import Secret
from chat2api.settings.config_view import HOMES
from chat2api.settings.mask import clip
from chat2api.store.audit import AuditFilter
from chat2api.web.admin_auth import CSRF_FIELD, admin_actor, note_change
from chat2api.web.desk.frame import desk_blueprint, render_desk, said
from chat2api.web.desk.settings_form import (
    Fields,
    body_of,
    changed_since,
    mark_of,
    moved,
    public,
    seen,
    with_kept,
)
from chat2api.web.desk.settings_words import (
    in_words,
    label_of,
    mistake_words,
    rows_of,
    source_words,
    trouble_words,
)
from chat2api.web.forms import read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import see_other
from chat2api.web.state import runtime
from chat2api.web.times import clock_time

blueprint = desk_blueprint("settings", __name__)

_KIND = "settings"
_KEPT_SECONDS = 1800.0
_FORM_BYTES = 1024 * 1024
_ACCOUNTS_SHOWN = 20
_ITEMS_SHOWN = 100
_MOST_RELOADS = 20
_EDITED = re.compile(r"account\.[0-9]{1,6}\.(?!mark$)")
_ACCESS = ("direct_tokens", "allow_anonymous")
_UPSTREAM = ("history_disabled", "retry_times")
_POOL = (
    "random_token",
    "enable_limit",
    "account_concurrency",
    "queue_seconds",
    "scheduled_refresh",
)
_RECORDS = ("log_level", "log_content", "requests_kept_days", "usage_kept_days", "tz")


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a form comes back: `text` for all to read, `anchor` the part of the page it is about."""

    text: str
    anchor: str = ""


# --- looking


@blueprint.get("/admin/settings")
def page() -> Response:
    if not wants_page():
        held = runtime().config
        effective = [
            {"name": one.name, "value": one.value, "source": one.source} for one in held.effective()
        ]
        return json_response({"effective": effective, "problem": held.problem})
    return _form({})


@blueprint.get("/admin/settings/raw")
def raw() -> Response:
    text = runtime().config.raw()
    if not wants_page():
        return Response(text, content_type="text/plain; charset=utf-8")
    return render_desk("desk/settings_raw.html", nav="settings", text=text)


def _form(
    fields: Fields,
    *,
    status: int = 200,
    trouble: _Trouble | None = None,
    others: list[tuple[str, str, str]] | None = None,
    lost: int = 0,
    ticket: str = "",
) -> Response:
    config = runtime().config
    view, unreadable = _view()
    loaded = config.in_use
    return render_desk(
        "desk/settings.html",
        nav="settings",
        status=status,
        effective=config.effective(),
        broken=config.trouble,
        trouble_words=trouble_words,
        running_since=clock_time(loaded.loaded_at) if loaded else "",
        unreadable=unreadable,
        clip=clip,
        source_words=source_words,
        view=view,
        **({} if view is None else _values(view, public(fields))),
        typed=public(fields),
        trouble=trouble,
        others=[(label_of(name), clip(before), clip(now)) for name, before, now in others or ()],
        lost=lost,
        ticket=ticket,
        reloads=[] if view is None else _reloads(str(view["revision"])),
    )


def _view() -> tuple[dict[str, Any] | None, str]:
    """The file, or None and why there is none to change."""
    try:
        return runtime().config.view(), ""
    except NoConfigFile:
        return None, gettext(
            "There is no configuration file: every setting comes from the environment or is the default. To change settings here, copy conf/app.demo.yaml to conf/app.dev.yaml and restart. The copy changes nothing by itself: keys and address stay as they are."
        )
    except InternalError as error:
        return None, error.message


def _values(view: dict[str, Any], typed: Fields) -> dict[str, Any]:
    """What the form's fields hold, whether from the file or from an attempt before."""
    fixed = _fixed()
    in_use = {one.name: one.value for one in runtime().config.effective()}
    plain = {
        name: in_use[name] if name in fixed else typed.get(f"setting.{name}", stored)
        for name, stored in view["settings"].items()
    }
    accounts = view["chatgpts"]
    start = _start(len(accounts))
    edited = {int(name.split(".")[1]) for name in typed if _is_account(name)}
    shown = sorted({*range(start, min(start + _ACCOUNTS_SHOWN, len(accounts))), *edited})
    return {
        "fixed": fixed,
        "in_use": {home.field: in_use.get(home.setting, "") for home in HOMES},
        "access": rows_of(_ACCESS, plain, fixed),
        "upstream": rows_of(_UPSTREAM, plain, fixed),
        "pool": rows_of(_POOL, plain, fixed),
        "records": rows_of(_RECORDS, plain, fixed),
        "accounts": [(row, mark_of(row)) for row in accounts if row["index"] in shown],
        "accounts_start": start,
        "accounts_next": start + _ACCOUNTS_SHOWN if start + _ACCOUNTS_SHOWN < len(accounts) else 0,
        "items_shown": _ITEMS_SHOWN,
        "seen": seen(view),
    }


def _is_account(name: str) -> bool:
    return _EDITED.match(name) is not None


def _start(count: int) -> int:
    wish = request.args.get("accounts", 0, type=int)
    return max(0, min(wish, max(0, count - 1)))


def _fixed() -> dict[str, str]:
    """Where the value of each setting comes from that the file cannot change; also by the form's names."""
    effective = runtime().config.effective()
    fixed = {one.name: source_words(one.source) for one in effective if one.fixed}
    return fixed | {home.field: fixed[home.setting] for home in HOMES if home.setting in fixed}


def _reloads(revision: str) -> list[float]:
    """When workers took over the file as it is now, the last of them last."""
    entries = runtime().audit.recent(
        _MOST_RELOADS, which=AuditFilter(action="config_loaded", actor="system")
    )
    return [entry.at for entry in reversed(entries) if entry.detail.get("revision") == revision]


# --- changing


@blueprint.post("/admin/settings/review")
def review() -> Response:
    """What a change does, in words; nothing is written yet."""
    fields, config = _sent(), runtime().config
    try:
        planned = config.plan(body_of(fields, config.view()), None)
    except (RequestError, Conflict) as error:
        return _refused(error, fields)
    if not planned.changes:
        said(gettext("Nothing changed."))
        return _answer({"changes": []})
    ticket = _keep(fields)
    if not wants_page():
        return json_response(
            {"changes": planned.changes, "warnings": planned.warnings, "ticket": ticket}
        )
    return render_desk(
        "desk/settings_review.html",
        nav="settings",
        changes=[in_words(change) for change in planned.changes],
        warnings=[in_words(warning) for warning in planned.warnings],
        ticket=ticket,
        path=config.view()["config_path"],
    )


@blueprint.post("/admin/settings/edit")
def edit() -> Response:
    """Back from the look at a change to the form, with all that was typed."""
    ticket = read_admin_form().first("ticket") or ""
    return _form(_kept(ticket), ticket=ticket)


@blueprint.post("/admin/settings/save")
def save() -> Response:
    """Raises Conflict (409) as a page that keeps the edits."""
    ticket = read_admin_form().first("ticket") or ""
    fields, config = _kept(ticket), runtime().config
    if not fields:
        said(gettext("This took too long; nothing was saved. Please enter it again."), role="bad")
        return _answer({"changes": []}, status=409)
    try:
        done = config.change(body_of(fields, config.view()), None)
    except (RequestError, Conflict) as error:
        return _refused(error, fields)
    runtime().desk.parcels.drop(Secret(ticket), _KIND, admin_actor())
    path = str(done.view["config_path"])
    if done.changes:
        note_change("change configuration", path, {"changes": done.changes})
    said(gettext("Saved. The file of before is kept as %(name)s.bak.", name=path))
    return _answer({"changes": done.changes, "warnings": done.warnings})


@blueprint.post("/admin/settings/forget-backup")
def forget_backup() -> Response:
    read_admin_form()
    removed = runtime().config.forget_backup()
    if removed:
        note_change("delete configuration backup")
    said(gettext("The copy is deleted.") if removed else gettext("There was no copy."))
    return _answer({"removed": removed})


def _answer(document: dict[str, object], status: int = 200) -> Response:
    if wants_page():
        return see_other(url_for("settings.page"))
    return json_response(document, status)


def _refused(error: Chat2ApiError, fields: Fields) -> Response:
    """The form once more, with what was typed; after somebody else's change, on top of that."""
    if not wants_page():
        raise error
    if isinstance(error, Conflict):
        view = runtime().config.view()
        others = changed_since(fields.get("seen", ""), view)
        fields, lost = moved(fields, view)
        told = _Trouble(gettext("Someone else saved first. Your edits are kept below."))
        return _form(
            fields, status=409, trouble=told, others=others, lost=lost, ticket=_keep(fields)
        )
    trouble = _Trouble(_explained(error), _anchor(error.param or ""))
    return _form(fields, status=error.status, trouble=trouble, ticket=_keep(fields))


def _explained(error: Chat2ApiError) -> str:
    if "masked" in error.message:
        return gettext(
            "A masked value was typed where the secret itself is needed. Leave the field blank to keep what is stored."
        )
    name, _, reason = error.message.partition(": ")
    field = name.removeprefix("settings.")
    return f"{label_of(field)}: {mistake_words(reason)}" if reason else clip(error.message)


def _anchor(param: str) -> str:
    for begins, anchor in (
        ("auth_tokens", "keys"),
        ("access_token_prefixes", "prefixes"),
        ("chatgpts", "accounts"),
        ("settings.", f"setting-{param.removeprefix('settings.')}"),
        ("proxy", "field-proxy"),
        ("chatgpt_base_url", "field-chatgpt_base_url"),
    ):
        if param.startswith(begins):
            return anchor
    return ""


# --- what rests with the server between two steps


def _sent() -> Fields:
    form = read_admin_form(_FORM_BYTES)
    sent = {name: values[0] for name, values in form.fields.items() if name != CSRF_FIELD}
    return with_kept(sent, _kept(sent.pop("ticket", "")))


def _keep(fields: Fields) -> str:
    parcel = runtime().desk.parcels.keep(
        _KIND, json.dumps(fields), owner=admin_actor(), seconds=_KEPT_SECONDS
    )
    return parcel.reveal()


def _kept(ticket: str) -> Fields:
    """Empty where its time is over, or it is somebody else's."""
    found = runtime().desk.parcels.look(Secret(ticket), _KIND, admin_actor())
    fields: Fields = {} if found is None else json.loads(found[1])
    return fields
