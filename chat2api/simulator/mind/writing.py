"""Acts as text with the markup that a prompt explained, neatly or with the faults of real models."""

from __future__ import annotations

from dataclasses import dataclass

from chat2api.simulator.mind.situation import Acts, Call, Decision, Say, Think, Value

_BEFORE, _BETWEEN, _AFTER = "Let me see.", "And one thing more.", "Now I wait."
INVENTED = "a result that was made up"


@dataclass(frozen=True, slots=True)
class Written:
    """What is thought, what is said, and whether it stops in the middle."""

    thoughts: tuple[str, ...]
    text: str
    is_cut: bool = False


def write(decision: Decision, nonce: str | None) -> Written:
    """The acts of one turn as text; without a `nonce` no call can be written."""
    acts, styles = decision.acts, decision.styles
    calls = [act for act in acts if isinstance(act, Call)]
    parts = _parts(acts, nonce, styles)
    if "prose" in styles and nonce is not None and calls:
        parts = _with_prose(parts, acts)
    text = "\n".join(parts)
    if "think" in styles and nonce is not None:
        name = calls[0].name if calls else "some_tool"
        text = f"<think>\nI could write {_block(Call(name, '{}'), nonce, styles)} now.\n</think>\n{text}"
    if "result" in styles and nonce is not None and calls:
        text += f'\n<tool_result_{nonce} id="call_1" name="{calls[0].name}">\n{INVENTED}\n'
        text += f"</tool_result_{nonce}>\nSo I know {INVENTED}."
    if "unclosed" in styles and nonce is not None and calls:
        text = text.rsplit(_tags(calls[-1].name, nonce, styles)[1], 1)[0].rstrip()
    is_cut = "length" in styles and any(isinstance(act, Call | Value) for act in acts)
    if is_cut:
        text = _cut(text, acts)
    thoughts = tuple(act.text for act in acts if isinstance(act, Think))
    return Written(thoughts, text, is_cut)


def _parts(acts: Acts, nonce: str | None, styles: frozenset[str]) -> list[str]:
    parts: list[str] = []
    for act in acts:
        match act:
            case Say(text):
                parts.append(text)
            case Call(name, _) if nonce is None:
                parts.append(f"I have no way to call {name}.")
            case Call():
                assert nonce is not None
                parts.append(_block(act, nonce, styles))
            case Value(text):
                parts.append(_value(text, styles))
    return parts


def _value(text: str, styles: frozenset[str]) -> str:
    if "fence" in styles:
        text = f"```json\n{text}\n```"
    return f"Here it is:\n\n{text}\n\nThat is the JSON." if "prose" in styles else text


def _tags(name: str, nonce: str, styles: frozenset[str]) -> tuple[str, str]:
    quotes = "“”" if "smart" in styles else '""'
    opening = f"<tool_call_{nonce} name={quotes[0]}{name}{quotes[1]}>"
    closing = f"</tool_call_{nonce}>"
    if "escaped" in styles:
        return tuple(one.replace("<", "&lt;").replace(">", "&gt;") for one in (opening, closing))  # type: ignore[return-value]
    return opening, closing


def _block(call: Call, nonce: str, styles: frozenset[str]) -> str:
    opening, closing = _tags(call.name, nonce, styles)
    inside = call.arguments
    if "innerfence" in styles:
        inside = f"```json\n{inside}\n```"
    block = f"{opening}\n{inside}\n{closing}"
    return f"```xml\n{block}\n```" if "fence" in styles else block


def _with_prose(parts: list[str], acts: Acts) -> list[str]:
    """Idle words before the first call, between two, and after the last."""
    shown = [act for act in acts if not isinstance(act, Think)]
    calls = [at for at, act in enumerate(shown) if isinstance(act, Call)]
    around: list[str] = []
    for at, part in enumerate(parts):
        if at in calls:
            around.append(_BEFORE if at == calls[0] else _BETWEEN)
        around.append(part)
        if at == calls[-1]:
            around.append(_AFTER)
    return around


def _cut(text: str, acts: Acts) -> str:
    """The text up to the middle of its last arguments or value."""
    last = next(act for act in reversed(acts) if isinstance(act, Call | Value))
    inside = last.arguments if isinstance(last, Call) else last.text
    return text[: text.rfind(inside) + max(len(inside) // 2, 1)]
