"""Bad manners that concern what is done, however it is written: wrong arguments, wrong tools, refusals."""

from __future__ import annotations

import json

from chat2api.simulator.documents import Json
from chat2api.simulator.mind.situation import Act, Acts, Call, Say, Situation, Value

UNKNOWN_TOOL = "no_such_tool"
_WRONG = '{"wrong_key": true}'
_NO_JSON = "this is no JSON at all"
_REFUSAL = "I would rather answer without a tool."


def misbehave(acts: Acts, styles: frozenset[str], situation: Situation) -> Acts:
    """The acts as a mind with these styles does them. `invalid` and `refuse` last until it is told."""
    is_told = situation.told > 0
    if "refuse2" in styles or ("refuse" in styles and not is_told):
        calls = any(isinstance(act, Call) for act in acts)
        acts = tuple(act for act in acts if not isinstance(act, Call))
        acts = (*acts, Say(_REFUSAL)) if calls else acts
    if "unknown" in styles:
        acts = tuple(Call(UNKNOWN_TOOL, a.arguments) if isinstance(a, Call) else a for a in acts)
    if "invalid2" in styles or ("invalid" in styles and not is_told):
        acts = tuple(_spoilt(act, situation) for act in acts)
    if "broken" in styles:
        acts = tuple(_broken(act) for act in acts)
    if "twice" in styles:
        acts = tuple(one for act in acts for one in _repeated(act))
    return acts


def _repeated(act: Act) -> Acts:
    return (act, act) if isinstance(act, Call) else (act,)


def _spoilt(act: Act, situation: Situation) -> Act:
    """Arguments or a value that no repair of the spelling makes right."""
    match act:
        case Call(name, _):
            tool = situation.tool(name)
            schema = tool.schema if tool else {}
            return act if schema is None else Call(name, _against(schema))
        case Value():
            return Value(_against(situation.schema or {}))
    return act


def _against(schema: Json) -> str:
    return _WRONG if schema.get("required") else _NO_JSON


def _broken(act: Act) -> Act:
    match act:
        case Call(name, arguments):
            return Call(name, broken(arguments))
        case Value(text):
            return Value(broken(text))
    return act


def broken(text: str) -> str:
    """A JSON object in single quotes with a comma too many; anything else unchanged."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if not isinstance(value, dict) or not value:
        return text
    members = (f"{_quoted(name)}: {_member(part)}" for name, part in value.items())
    return "{" + ", ".join(members) + ",}"


def _member(part: object) -> str:
    return _quoted(part) if isinstance(part, str) else json.dumps(part, ensure_ascii=False)


def _quoted(text: str) -> str:
    plain = json.dumps(text, ensure_ascii=False)
    # Only what is the same in either kind of quotes.
    return f"'{text}'" if plain == f'"{text}"' and "'" not in text else plain
