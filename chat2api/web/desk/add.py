"""Adding accounts: by login, by paste, by files; what is handed in is shown before it is taken.

Between looking and taking it rests sealed (`store.parcels`): no page, address or history holds a token.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, request, url_for

from chat2api.errors import Conflict, MissingParameter, RequestError
from chat2api.secret import Secret
from chat2api.service.handover import (
    GROUPS,
    PASTED,
    Handover,
    Review,
    ReviewedAccount,
    Source,
    Taken,
    packed,
    unpacked,
)
from chat2api.service.importing.found import Skipped
from chat2api.web.admin_auth import admin_actor, note_change
from chat2api.web.cookies import send_cookie
from chat2api.web.desk.frame import desk_blueprint, render_desk, said
from chat2api.web.desk.import_words import place_text, reason_text
from chat2api.web.forms import Form, read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, ngettext
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import see_other
from chat2api.web.state import runtime
from chat2api.web.tokens import UPLOAD_BYTES, typing_words

blueprint = desk_blueprint("add", __name__)

_KIND, _DONE = "import", "imported"
_KEPT_SECONDS = 900.0
_COOKIE = "import"
_LONGEST_NAME = 120
_MOST_LINKED = 60
_EXTRAS = "extras"
_BY_ITSELF = ("new", "newer", _EXTRAS)


# --- handing in


@blueprint.get("/admin/add")
def page() -> Response:
    return _page()


@blueprint.post("/admin/add/review")
def look() -> Response:
    """Looks at what was handed in, and keeps it for the next step. Nothing is added."""
    sources = _sources(read_admin_form(UPLOAD_BYTES))
    if not sources:
        if wants_page():
            return _page(gettext("Nothing was pasted and no file was chosen."), 400)
        raise MissingParameter("Send the field 'text', or files.", param="text")
    review = _handover().review(sources)
    if not wants_page() and not (review.accounts or review.extras):
        raise RequestError("No account was found in it, nothing was stored.", param="text")
    ticket = runtime().desk.parcels.keep(
        _KIND, packed(review, sources), owner=admin_actor(), seconds=_KEPT_SECONDS
    )
    if not wants_page():
        return json_response(_told(review) | {"ticket": ticket.reveal()})
    _send(ticket)
    return see_other(url_for("add.review"))


@blueprint.get("/admin/add/review")
def review() -> Response:
    ticket = Secret(request.cookies.get(_COOKIE, ""))
    kept = _kept(ticket)
    if kept is None:
        return see_other(url_for("add.page"))
    seen = kept[0]
    return render_desk(
        "desk/add_review.html",
        nav="add",
        groups=_groups(seen),
        unreadable=_unreadable(seen.skipped),
        unreadable_count=seen.unreadable,
        extras=_extras_text(seen),
        extras_count=seen.extras,
        repeated=seen.repeated,
        sentence=_sentence(seen),
        ready=_ready(seen),
        import_label=gettext("Import %(num)d"),
        ticket=ticket.reveal(),
    )


@blueprint.post("/admin/add/cancel")
def cancel() -> Response:
    """Nothing of it is kept."""
    form = read_admin_form()
    runtime().desk.parcels.drop(Secret(form.first("ticket") or ""), _KIND, admin_actor())
    _send(None)
    return see_other(url_for("add.page")) if wants_page() else json_response({"status": "success"})


def _sources(form: Form) -> list[Source]:
    pasted = [text for text in form.all("text") if text.strip()]
    files = [one for one in form.files if one.name or one.content]
    texts = [Source(PASTED, text.encode("utf-8", "replace")) for text in pasted]
    return texts + [Source(one.name[-_LONGEST_NAME:], one.content) for one in files]


def _page(problem: str = "", status: int = 200) -> Response:
    return render_desk(
        "desk/add.html",
        nav="add",
        status=status,
        problem=problem,
        total=runtime().book.counts().total,
        login_url=_login_url(),
        words=typing_words(),
        most_bytes=UPLOAD_BYTES,
    )


def _login_url() -> str:
    return url_for("logins.start") if "logins.start" in current_app.view_functions else ""


# --- taking


@blueprint.post("/admin/add/import")
def take() -> Response:
    """Adds what was looked at; of groups that are chosen, or of those that are by themselves."""
    form = read_admin_form()
    ticket = Secret(form.first("ticket") or "")
    kept = _kept(ticket)
    if kept is None:
        return _gone()
    seen, sources = kept
    chosen = form.all("take") if wants_page() or form.all("take") else _BY_ITSELF
    wanted = [group for group in GROUPS if group in chosen and group != "same"]
    source = f"import-{secrets.token_hex(4)}"
    taken = _handover().take(sources, seen.plan, wanted, source, extras=_EXTRAS in chosen)
    _note(taken, seen, source, len(sources))
    desk, actor = runtime().desk, admin_actor()
    desk.parcels.drop(ticket, _KIND, actor)
    if not wants_page():
        return json_response({"status": "success", "source": source} | _numbers(taken))
    facts = _numbers(taken) | {
        "source": source,
        "same": seen.counts["same"],
        "left": sum(seen.counts[each] for each in GROUPS[:3] if each not in wanted),
        "unreadable": seen.unreadable,
        "updated": taken.ids.get("updated", ()),
    }
    _send(desk.parcels.keep(_DONE, "", owner=actor, facts=facts, seconds=_KEPT_SECONDS))
    return see_other(url_for("add.done"))


@blueprint.get("/admin/add/done")
def done() -> Response:
    ticket = Secret(request.cookies.get(_COOKIE, ""))
    found = runtime().desk.parcels.look(ticket, _DONE, admin_actor())
    if found is None:
        return see_other(url_for("add.page"))
    return render_desk("desk/add_done.html", nav="add", result=_result(found[0]))


def _handover() -> Handover:
    return Handover(runtime().intake, runtime().desk.arrivals)


def _kept(ticket: Secret) -> tuple[Review, list[Source]] | None:
    """What was looked at, as it was; None when it is no longer there."""
    found = runtime().desk.parcels.look(ticket, _KIND, admin_actor())
    return None if found is None else unpacked(found[1])


def _gone() -> Response:
    if not wants_page():
        raise Conflict("This import is no longer kept; hand it in again.", code="import_gone")
    said(gettext("The import is no longer kept. Hand it in again."), role="bad")
    return see_other(url_for("add.page"))


def _note(taken: Taken, seen: Review, source: str, files: int) -> None:
    detail: dict[str, object] = {
        name: number
        for name, number in (_numbers(taken) | {"unreadable": seen.unreadable}).items()
        if number
    }
    note_change("import accounts", source, detail | {"files": files})
    events, actor = runtime().desk.events, admin_actor()
    events.note(taken.ids.get("added", ()), "added", actor, {"source": source})
    events.note(taken.ids.get("revived", ()), "restored", actor, {"source": source})
    events.note(taken.ids.get("updated", ()), "renewed", actor, {"source": source})


def _numbers(taken: Taken) -> dict[str, Any]:
    numbers = {group: taken.changed.get(group, 0) for group in GROUPS[:3]}
    return numbers | {"seeds": taken.seeds, "conversations": taken.conversations}


# --- what is shown


@dataclass(frozen=True, slots=True)
class _GroupShown:
    """`sign` stands before the number, as in a diff. `more`: how many rows are not shown."""

    name: str
    sign: str
    role: str
    text: str
    count: int
    can_choose: bool
    is_chosen: bool
    rows: Sequence[dict[str, Any]]

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


def _groups(seen: Review) -> list[_GroupShown]:
    counts = seen.counts
    words = {
        "new": ("+", "ok", ngettext("%(num)d new", "%(num)d new", counts["new"])),
        "newer": (
            "~",
            "busy",
            ngettext("%(num)d gets a newer token", "%(num)d get a newer token", counts["newer"]),
        ),
        "ended": ("!", "wait", ngettext("%(num)d expired", "%(num)d expired", counts["ended"])),
        "same": (
            "=",
            "off",
            ngettext("%(num)d there already", "%(num)d there already", counts["same"]),
        ),
    }
    return [
        _GroupShown(
            group,
            *words[group],
            counts[group],
            group != "same",
            group in _BY_ITSELF,
            [_row(one) for one in seen.accounts if one.group == group],
        )
        for group in GROUPS
        if counts[group]
    ]


def _row(one: ReviewedAccount) -> dict[str, Any]:
    remarks = []
    if one.revived:
        remarks.append(gettext("was removed, comes back"))
    if one.refused:
        remarks.append(gettext("was refused before"))
    if one.unclear:
        remarks.append(gettext("cannot be read; check it once it is taken"))
    return {
        "label": one.label,
        "token": one.masked_token,
        "kind": gettext("Codex login") if one.is_codex else gettext("Web login"),
        "plan": one.plan,
        "workspace": one.workspace_id,
        "expires_at": one.expires_at,
        "renewable": one.renewable,
        "where": place_text(one.where),
        "remarks": remarks,
    }


def _unreadable(skipped: Sequence[Skipped]) -> list[tuple[str, str]]:
    return [(place_text(one.where), reason_text(one.reason)) for one in skipped]


def _ready(seen: Review) -> int:
    """How much would be taken without any other choice."""
    return seen.counts["new"] + seen.counts["newer"] + seen.extras


def _sentence(seen: Review) -> str:
    """The first line of the page: what to do."""
    same, ended = seen.counts["same"], seen.counts["ended"]
    if _ready(seen):
        return gettext("Nothing is taken yet. Look at it, then import it.")
    if same and ended:
        return gettext(
            "Nothing new: %(known)s, %(over)s.",
            known=ngettext("%(num)d is here already", "%(num)d are here already", same),
            over=ngettext("%(num)d has expired", "%(num)d have expired", ended),
        )
    if ended:
        return gettext("Nothing in it can be used as it is.")
    if same:
        return ngettext(
            "Nothing to import: it is already here.",
            "Nothing to import: all %(num)d are already here.",
            same,
        )
    return gettext("Nothing in it could be read as an account.")


def _extras_text(seen: Review) -> str:
    return gettext(", ").join(_extras(seen.seeds, seen.conversations))


def _extras(seeds: int, conversations: int) -> list[str]:
    parts = []
    if seeds:
        parts.append(ngettext("%(num)d seat", "%(num)d seats", seeds))
    if conversations:
        parts.append(ngettext("%(num)d conversation", "%(num)d conversations", conversations))
    return parts


def _told(seen: Review) -> dict[str, Any]:
    """For scripts."""
    skipped = [{"where": one.where, "reason": one.reason} for one in seen.skipped]
    return {
        "status": "success",
        **{str(group): number for group, number in seen.counts.items()},
        "seeds": seen.seeds,
        "conversations": seen.conversations,
        "unreadable": seen.unreadable,
        "repeated": seen.repeated,
        "skipped": skipped,
    }


def _result(facts: dict[str, Any]) -> dict[str, Any]:
    """Numbers in words; the first leads to the rows behind it."""
    new, newer, ended = facts["new"], facts["newer"], facts["ended"]
    parts = []
    if ended:
        parts.append(ngettext("%(num)d expired one taken", "%(num)d expired ones taken", ended))
    parts += _extras(facts["seeds"], facts["conversations"])
    if facts["same"]:
        same = facts["same"]
        parts.append(ngettext("%(num)d was already there", "%(num)d were already there", same))
    if facts["left"]:
        parts.append(ngettext("%(num)d left out", "%(num)d left out", facts["left"]))
    if facts["unreadable"]:
        parts.append(ngettext("%(num)d unreadable", "%(num)d unreadable", facts["unreadable"]))
    return {
        "new": ngettext("%(num)d new", "%(num)d new", new),
        "href": url_for("accounts.page", source=facts["source"]) if new + ended else "",
        "newer": ngettext("%(num)d got a newer token", "%(num)d got a newer token", newer),
        "newer_href": _href(facts["updated"]),
        "has_newer": newer > 0,
        "parts": parts,
        "source": facts["source"],
    }


def _href(account_ids: Sequence[str]) -> str:
    """To the rows of these; "" for more than an address holds."""
    if not 0 < len(account_ids) <= _MOST_LINKED:
        return ""
    return url_for("accounts.page", id=account_ids)


def _send(ticket: Secret | None) -> None:
    """Which parcel the next page is about; None takes it back."""
    value = None if ticket is None else ticket.reveal()
    send_cookie(_COOKIE, value, path=url_for("add.page"), seconds=_KEPT_SECONDS)
