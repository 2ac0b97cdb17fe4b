"""API keys: which there are and what they do, new ones with recipes for clients, and the end of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flask import Response, request, url_for

from chat2api.errors import Conflict, NotFound, RequestError
from chat2api.secret import Secret
from chat2api.service.access import PoolKey
from chat2api.settings.mask import mask_secret
from chat2api.store.api_keys import AlreadyMade, ApiKey, ApiKeys, LastKey, new_key_id
from chat2api.store.usage_hours import UsageHour
from chat2api.web.admin_auth import note_change
from chat2api.web.api_place import api_place
from chat2api.web.charts import Spark, spark
from chat2api.web.desk.frame import desk_blueprint, render_desk, said
from chat2api.web.desk.key_forms import (
    KeyFields,
    arguments,
    changes_between,
    described,
    fields_of,
    problem_text,
    read_fields,
)
from chat2api.web.desk.settings_words import source_words
from chat2api.web.desk.trial import streamed, tried, trying
from chat2api.web.forms import read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, ngettext
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import see_other
from chat2api.web.recipes import model_for, recipes
from chat2api.web.state import runtime

blueprint = desk_blueprint("keys", __name__)

_PAGE = 100
_SPARK_DAYS = 7
_HOUR = 3600
_MOST_NAMES = 40
_LONGEST_MODEL = 200


@dataclass(frozen=True, slots=True)
class Row:
    """A key in the list. `used` are today's tokens, `requests` those of seven days."""

    key: ApiKey
    fields: KeyFields
    used: int
    requests: int
    chart: Spark
    is_last: bool
    state: str


@dataclass(frozen=True, slots=True)
class Configured:
    """A key out of the settings."""

    key_id: str
    masked: str
    source: str
    requests: int
    chart: Spark


@blueprint.get("/admin/keys")
def page() -> Response:
    ended = request.args.get("state") == "ended"
    before = request.args.get("before")
    found = _keys().page(usable=not ended, most=_PAGE + 1, before=before)
    shown = found[:_PAGE]
    configured = [] if ended or before else _configured()
    only = _only_key()
    return render_desk(
        "desk/keys.html",
        nav="keys",
        rows=_rows(shown, only),
        configured=configured,
        ended=ended,
        is_first_page=before is None,
        next_url=url_for(".page", state="ended" if ended else None, before=shown[-1].key_id)
        if len(found) > _PAGE
        else "",
        scope_names=scope_names(),
        opens_administration=_opens_administration(),
        configured_in=_configured_in(),
    )


# --- a new one


@blueprint.get("/admin/keys/new")
def new() -> Response:
    like = _keys().get(request.args.get("like", ""))
    fields = KeyFields() if like is None else fields_of(like)
    if like is not None and not like.is_usable(_now()):
        fields = replace(fields, expires="")
    return _form(fields, new_key_id())


@blueprint.post("/admin/keys/new")
def create() -> Response:
    """The key stands in this answer alone; the same form sent again makes and shows nothing."""
    form = read_admin_form()
    fields = read_fields(form)
    key_id = form.first("key_id") or new_key_id()
    try:
        made, secret = _keys().create(**arguments(fields), key_id=key_id)
    except AlreadyMade:
        if not wants_page():
            raise
        said(gettext("This key was made already, and shown then. It cannot be shown again."))
        return see_other(url_for(".one", key_id=key_id))
    except RequestError as error:
        if not wants_page() or error.param == "key_id":
            raise
        return _form(_marked(fields, error), key_id, error.status)
    note_change("create key", made.key_id, described(made))
    if not wants_page():
        return json_response({**_as_json(made), "key": secret.reveal()}, 201)
    return _made(made, secret)


def _form(fields: KeyFields, key_id: str, status: int = 200) -> Response:
    return render_desk(
        "desk/key_new.html",
        nav="keys",
        status=status,
        fields=fields,
        key_id=key_id,
        scope_names=scope_names(),
        known_models=_known_models(),
    )


def _made(key: ApiKey, secret: Secret) -> Response:
    return render_desk(
        "desk/key_made.html",
        nav="keys",
        status=201,
        key=key,
        text=secret.reveal(),
        **_how_to_use(key, secret.reveal()),
    )


# --- one of them


@blueprint.get("/admin/keys/<key_id>")
def one(key_id: str) -> Response:
    key = _found(key_id)
    return _shown(key, fields_of(key))


@blueprint.post("/admin/keys/<key_id>")
def change(key_id: str) -> Response:
    """Fields that were not sent stay as they are."""
    form = read_admin_form()
    key = _found(key_id)
    fields = read_fields(form, fields_of(key))
    try:
        before, after = _keys().change(key_id, **arguments(fields, key))
    except Conflict:
        raise
    except RequestError as error:
        if not wants_page() or error.param is None:
            raise
        return _shown(key, _marked(fields, error), error.status)
    changes = changes_between(before, after)
    if changes:
        note_change("change key", key_id, {"label": after.label, "changes": changes})
    if not wants_page():
        return json_response(_as_json(after))
    said(
        gettext("Saved. It counts within two seconds.") if changes else gettext("Nothing changed.")
    )
    return see_other(
        url_for(".page") if form.first("from") == "list" else url_for(".one", key_id=key_id)
    )


@blueprint.post("/admin/keys/<key_id>/revoke")
def revoke(key_id: str) -> Response:
    """Refuse the key from now on. The last one goes only with the field `last`."""
    form = read_admin_form()
    key = _found(key_id)
    if key.kind == "first" and _opens_administration():
        raise Conflict("This key also opens administration: set ADMIN_PASSWORD first.")
    others = _valid_masks()
    keep_one = not runtime().settings.authorization and form.first("last") != "yes"
    try:
        revoked = _keys().revoke(key_id, keep_one=keep_one)
    except LastKey:
        if not wants_page():
            raise
        said(gettext("This became the last valid key meanwhile, so it stays."), role="bad")
        return see_other(url_for(".page"))
    others.pop(key_id, None)
    masked = list(others.values())
    note_change("revoke key", key_id, {"label": revoked.label, "still valid": masked[:5]})
    if not wants_page():
        return json_response({**_as_json(revoked), "still_valid": masked})
    _say_what_stays(masked)
    return see_other(url_for(".page"))


def _say_what_stays(masked: Sequence[str]) -> None:
    """So that nobody locks everybody out without noticing."""
    if not masked:
        said(
            gettext("Revoked. No key is valid now: no app can use this server."),
            role="bad",
            href=url_for(".new"),
            link=gettext("New key"),
        )
        return
    said(
        ngettext(
            "Revoked. One key stays valid: %(key)s.",
            "Revoked. %(num)d keys stay valid, %(key)s among them.",
            len(masked),
            key=masked[0],
        )
    )


# --- does it work?


@blueprint.post("/admin/keys/<key_id>/test")
def test(key_id: str) -> Response:
    """One real request with this key, and its limits."""
    read_admin_form()
    key = _found(key_id)
    if _state(key, _now()) != "valid":
        raise Conflict("This key is not valid now.")
    model = model_for(runtime().catalog.known(), key.models)
    return _answered(PoolKey(key_id, None, key), model, url_for(".one", key_id=key_id))


@blueprint.get("/admin/try")
def try_it() -> Response:
    return render_desk(
        "desk/key_try.html", nav="keys", models=_known_models(), model="auto", trial=None, back=""
    )


@blueprint.post("/admin/try")
def try_now() -> Response:
    """One real request of the operator's own, with no key's limits."""
    model = (read_admin_form().first("model") or "auto").strip()[:_LONGEST_MODEL]
    return _answered(PoolKey("desk"), model, "")


def _answered(caller: PoolKey, model: str, back: str) -> Response:
    """As a page; as JSON; or, for who can take it, piece by piece as it comes."""
    note_change("try a request", caller.key_id, {"model": model})
    if request.accept_mimetypes["application/x-ndjson"] > 0 and not wants_page():
        return streamed(trying(caller, model))
    trial = tried(caller, model)
    if not wants_page():
        return json_response(trial.as_json())
    return render_desk(
        "desk/key_try.html",
        nav="keys",
        models=_known_models(),
        model=model,
        trial=trial,
        back=back,
    )


def _shown(key: ApiKey, fields: KeyFields, status: int = 200) -> Response:
    [row] = _rows([key], _only_key())
    return render_desk(
        "desk/key.html",
        nav="keys",
        status=status,
        row=row,
        key=key,
        fields=fields,
        scope_names=scope_names(),
        known_models=_known_models(),
        opens_administration=_opens_administration(),
        configured_in=_configured_in(),
        **_how_to_use(key),
    )


# --- what pages and answers tell of keys


def scope_names() -> Mapping[str, str]:
    """What each scope opens, for people."""
    return {
        "chat": gettext("Chat"),
        "responses": gettext("Responses API"),
        "messages": gettext("Messages API"),
        "images": gettext("Pictures"),
        "audio": gettext("Speech"),
        "models": gettext("List of models"),
        "usage": gettext("Usage figures"),
    }


def _rows(keys: Sequence[ApiKey], only: str | None) -> list[Row]:
    """Two queries, however many keys."""
    ids = [key.key_id for key in keys]
    used = runtime().limits.used_today(ids)
    charts = _charts(ids)
    now = _now()
    return [
        Row(
            key=key,
            fields=fields_of(key),
            used=used.get(key.key_id, 0),
            requests=charts[key.key_id][0],
            chart=charts[key.key_id][1],
            is_last=key.key_id == only,
            state=_state(key, now),
        )
        for key in keys
    ]


def _state(key: ApiKey, now: float) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if not key.is_usable(now):
        return "expired"
    steps_back = key.kind == "first" and bool(runtime().settings.authorization)
    return "aside" if steps_back else "valid"


def _charts(key_ids: Sequence[str]) -> dict[str, tuple[int, Spark]]:
    """Requests of each key in the last seven days, and one bar a day, the last one up to now."""
    until = int(_now() // _HOUR) + 1
    since = until - _SPARK_DAYS * 24
    days = {key_id: [0] * _SPARK_DAYS for key_id in key_ids}
    hours: list[UsageHour] = []
    if key_ids:
        hours = runtime().desk.usage.series("key", since, until, key_ids)
    for hour in hours:
        days[hour.value][(hour.hour - since) // 24] += hour.requests
    return {key_id: (sum(counts), spark(counts)) for key_id, counts in days.items()}


def _configured() -> list[Configured]:
    held = runtime()
    keys, ids = held.settings.authorization, held.access.configured_ids
    shown = list(zip(keys, ids, strict=False))[:_PAGE]
    charts = _charts([key_id for _, key_id in shown])
    source = _configured_in()
    return [
        Configured(key_id, mask_secret(key.reveal()), source, *charts[key_id])
        for key, key_id in shown
    ]


def _configured_in() -> str:
    return source_words(runtime().config.source_of("authorization")) or "AUTHORIZATION"


def _valid_masks() -> dict[str, str]:
    """Every key that is valid now, masked, by its id; of stored ones the newest hundred."""
    held = runtime()
    configured = held.settings.authorization
    masks = {f"configured {at}": mask_secret(key.reveal()) for at, key in enumerate(configured)}
    for key in _keys().page(usable=True, most=_PAGE):
        if _state(key, _now()) == "valid":
            masks[key.key_id] = key.hint
    return masks


def _only_key() -> str | None:
    """The id of the one key that apps can use, where it is stored here and the only one."""
    if runtime().settings.authorization:
        return None
    usable = _keys().page(usable=True, most=2)
    return usable[0].key_id if len(usable) == 1 else None


def _opens_administration() -> bool:
    return runtime().administration.access.opened_by == "first_key"


def _how_to_use(key: ApiKey, text: str | None = None) -> dict[str, object]:
    model = model_for(runtime().catalog.known(), key.models)
    return {"model": model, "recipes": recipes(api_place(text, model), gettext)}


def _known_models() -> list[str]:
    return runtime().catalog.known()[:_MOST_NAMES]


def _as_json(key: ApiKey) -> dict[str, object]:
    ended = {"revoked_at": key.revoked_at, "last_used_at": key.last_used_at}
    masked = {"id": key.key_id, "kind": key.kind, "masked": key.hint}
    return {**masked, **described(key), **ended}


def _marked(fields: KeyFields, error: RequestError) -> KeyFields:
    name = error.param or ""
    return replace(fields, problems={name: problem_text(name)})


def _found(key_id: str) -> ApiKey:
    key = _keys().get(key_id)
    if key is None:
        raise NotFound("There is no such key.")
    return key


def _keys() -> ApiKeys:
    return runtime().desk.keys


def _now() -> float:
    return runtime().desk.keys.now()
