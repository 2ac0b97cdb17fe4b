"""What the importer says about places and reasons, in the reader's language.

The importer speaks English and never quotes content; what is not known here is shown as it is.
"""

from __future__ import annotations

import re

from chat2api.service.handover import PASTED
from chat2api.service.importing import (
    auth_files,
    chat_share,
    content,
    fields,
    mirror_maps,
    recognise,
)
from chat2api.settings.mask import clip
from chat2api.web.languages import gettext

_LONGEST_PLACE = 120
_PLACE = re.compile(r"(.*) (line|entry) (\d+)", re.DOTALL)
_DAMAGED = re.compile(r"is damaged \(line (\d+)\)")


def place_text(where: str) -> str:
    """ "token.txt line 3" as people read it; of a long name the end."""
    match = _PLACE.fullmatch(where)
    if match is None:
        return _name(where)
    name, kind, number = match.groups()
    if kind == "line":
        return gettext("%(file)s, line %(number)s", file=_name(name), number=number)
    return gettext("%(file)s, entry %(number)s", file=_name(name), number=number)


def _name(name: str) -> str:
    return gettext("Pasted text") if name == PASTED else clip(name[-_LONGEST_PLACE:])


def reason_text(reason: str) -> str:
    damaged = _DAMAGED.fullmatch(reason)
    if damaged is not None:
        return gettext("Damaged in line %(number)s.", number=damaged[1])
    return _reasons().get(reason, reason)


def _reasons() -> dict[str, str]:
    not_known = gettext("Not a file this importer knows.")
    no_token = gettext("Not a token.")
    return {
        recognise.UNKNOWN: not_known,
        fields.NOT_A_TOKEN: no_token,
        fields.NOT_AN_ENTRY: gettext("Not an entry of this kind of file."),
        fields.BAD_PROXY: gettext(
            "The proxy is no http, https or socks5 address; it was left out."
        ),
        auth_files.API_KEY_ONLY: gettext("Holds an API key and no ChatGPT login."),
        auth_files.NO_TOKENS: gettext("Holds no access token and no refresh token."),
        auth_files.BAD_ACCESS: gettext("The access token is not one; it was left out."),
        auth_files.BAD_REFRESH: gettext("The refresh token is not one; it was left out."),
        chat_share.NOT_BOUND: gettext("Is bound to no account."),
        mirror_maps.NOT_A_SEED: gettext("Not a seed."),
        mirror_maps.BAD_BINDING: gettext("Is bound to something that is no token."),
        mirror_maps.BAD_CONVERSATION: gettext("Some ids of conversations were left out."),
        content.EMPTY: gettext("Empty."),
        content.TOO_DEEP: gettext("Nested too deeply."),
        content.NOT_AN_OBJECT: gettext("Not a JSON object."),
        content.NOT_A_LIST: gettext("Not a JSON list."),
        "is not valid YAML": gettext("Not valid YAML."),
    }
