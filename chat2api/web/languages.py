"""Which language and time zone a person reads, and the texts in it.

English texts are the ids of messages; every other language has a file in `translations`, read as it is.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import flask_babel  # type: ignore[import-untyped]
from babel.dates import format_skeleton
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, request

from chat2api.web.state import runtime

LANGUAGES = {"en": "English", "zh": "中文"}
FOLDER = Path(__file__).parent / "translations"


def set_up_languages(app: Flask) -> None:
    """Also gives templates `gettext` and `ngettext`."""
    babel = flask_babel.Babel(app, locale_selector=language, timezone_selector=time_zone)
    babel.domain_instance = _Catalogues()


class _Catalogues(flask_babel.Domain):  # type: ignore[misc]
    def get_translations(self) -> NullTranslations:
        return catalogue(str(flask_babel.get_locale()))


@functools.cache
def catalogue(name: str) -> NullTranslations:
    """The texts of a language; the ids themselves where it has no file."""
    path = FOLDER / f"{name}.po"
    if not path.exists():
        return Translations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=name))
    compiled.seek(0)
    return Translations(compiled)


# --- texts


def gettext(text: str, **values: object) -> str:
    """Without values the text is not filled in, so that a script can."""
    return str(flask_babel.gettext(text, **values))


def ngettext(one: str, many: str, num: int, **values: object) -> str:
    """`%(num)d` in the text is the number."""
    return str(flask_babel.ngettext(one, many, num, **values))


def plural_forms(one: str, many: str) -> list[str]:
    """Both forms of a text, not filled in, for a script to choose from."""
    known = catalogue(str(flask_babel.get_locale()))
    return [known.ungettext(one, many, 1), known.ungettext(one, many, 2)]


# --- who reads


def language() -> str:
    """Asked for in the address, else chosen before, else what the browser prefers."""
    wishes = [request.args.get("lang", ""), request.cookies.get("lang", "")]
    wishes += [tag for tag, quality in request.accept_languages if quality > 0]
    return next((known for wish in wishes if (known := _known_language(wish))), "en")


def _known_language(tag: str) -> str | None:
    """`zh-Hant` and `zh-HK` are `zh` until they have a message file."""
    base = re.split(r"[-_]", tag.lower(), maxsplit=1)[0]
    return base if base in LANGUAGES else None


# --- times


def time_zone() -> str:
    """TZ, else the browser's, which a script puts into a cookie once."""
    wish = runtime().settings.tz or request.cookies.get("tz", "")
    return wish if wish in _zones() else "UTC"


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # it looks at many files


def day(at: float) -> str:
    """Such as "Nov 19" or "11月19日"."""
    when = datetime.fromtimestamp(at, UTC)
    zone = ZoneInfo(str(flask_babel.get_timezone()))
    return format_skeleton("MMMd", when.astimezone(zone), locale=flask_babel.get_locale())


def moment(at: float) -> str:
    """Date and time in the zone of whoever reads it."""
    return str(flask_babel.format_datetime(datetime.fromtimestamp(at, UTC), "medium"))
