"""Scenarios with sources: private-use citation blocks of 2025 and later, bracket marks of 2024."""

from __future__ import annotations

from chat2api.simulator.documents import Json, Operation
from chat2api.simulator.script import Expected, Script
from chat2api.simulator.turn import Scribe, Turn, code_content, script_of, text_content

_MARS: Json = {
    "title": "Moons of Mars",
    "url": "https://example.org/mars",
    "snippet": "Phobos and Deimos",
    "attribution": "example.org",
}
_HALL: Json = {
    "title": "Asaph Hall",
    "url": "https://example.net/hall",
    "snippet": "found both in 1877",
    "attribution": "example.net",
}
# The blocks as sent: start, kind, separator, arguments, end.
_BOTH_BLOCK = "\ue200cite\ue202turn0search0\ue202turn0search1\ue201"
_HALL_BLOCK = "\ue200cite\ue202turn0search1\ue201"
_ENTITY_BLOCK = '\ue200entity\ue202["planet","Mars","fourth planet from the Sun"]\ue201'


def _link(source: Json) -> str:
    return f"[{source['title']}]({source['url']})"


def _ref(index: int) -> Json:
    return {"turn_index": 0, "ref_type": "search", "ref_index": index}


def _reference(block: str, sources: tuple[tuple[int, Json], ...], start: int) -> Json:
    first = sources[0][1]
    return {
        "matched_text": block,
        "start_idx": start,
        "end_idx": start + len(block),
        "type": "grouped_webpages",
        "alt": f"([{first['attribution']}]({first['url']}))",
        "safe_urls": [source["url"] for _, source in sources],
        "items": [{**source, "pub_date": None, "refs": [_ref(n)]} for n, source in sources],
        "fallback_items": None,
        "invalid": False,
    }


def _search_groups() -> list[Json]:
    return [
        {
            "type": "search_result_group",
            "domain": source["attribution"],
            "entries": [{"type": "search_result", **source, "ref_id": _ref(index)}],
        }
        for index, source in enumerate((_MARS, _HALL))
    ]


def _look_up(scribe: Scribe) -> None:
    scribe.open("assistant", code_content('search("mars moons")'), recipient="web", end_turn=False)
    scribe.wait(0.2)
    scribe.open(
        "tool",
        text_content(),
        name="web.search",
        metadata={"search_result_groups": _search_groups()},
    )


def search(turn: Turn) -> Script:
    """Citations split over deltas: one reference comes with its closing mark, one with the next
    event; `late=1` sends a third one when it is too late to be put in place."""
    scribe = Scribe(turn)
    _look_up(scribe)
    scribe.open_answer()
    add = "/message/metadata/content_references"
    text = "/message/content/parts/0"
    scribe.write_pieces((_ENTITY_BLOCK[:9], _ENTITY_BLOCK[9:], " has two moons "))
    half = len(_BOTH_BLOCK) // 2
    scribe.write_pieces((_BOTH_BLOCK[:half],))
    both = _reference(_BOTH_BLOCK, ((0, _MARS), (1, _HALL)), len(_ENTITY_BLOCK) + 15)
    scribe.edit(
        Operation(text, "append", _BOTH_BLOCK[half:] + "."),
        Operation(add, "append", [both]),
    )
    scribe.write_pieces((" Hall found them", " ", *_HALL_BLOCK))
    hall = _reference(_HALL_BLOCK, ((1, _HALL),), 0)
    scribe.edit(Operation(add, "append", [hall]))
    scribe.write_pieces((".",))
    late = turn.params.flag("late")
    if late:
        scribe.write_pieces(
            (" See also", " \ue200cite\ue202turn0search7\ue201", " the", " archive.")
        )
        mark = "\ue200cite\ue202turn0search7\ue201"
        scribe.edit(Operation(add, "append", [_reference(mark, ((7, _MARS),), 0)]))
    scribe.finish()
    shown = (
        f"Mars has two moons ({_link(_MARS)}, {_link(_HALL)}). Hall found them ({_link(_HALL)})."
    )
    raw = f"{_ENTITY_BLOCK} has two moons {_BOTH_BLOCK}. Hall found them {_HALL_BLOCK}."
    if late:
        shown += " See also  the archive."
        raw += " See also \ue200cite\ue202turn0search7\ue201 the archive."
    return script_of(scribe, expected=Expected(shown, raw=raw), extra={"tool_name": "SearchTool"})


def search2024(turn: Turn) -> Script:
    """The 2024 form: the browser tool, quotes, and numbered bracket marks."""
    scribe = Scribe(turn)
    scribe.open(
        "assistant", code_content('search("mars moons")'), recipient="browser", end_turn=False
    )
    display = {"content_type": "tether_browsing_display", "result": "Moons of Mars", "summary": ""}
    scribe.open("tool", display, name="browser")
    quote = {
        "content_type": "tether_quote",
        "url": _MARS["url"],
        "domain": "example.org",
        "text": _MARS["snippet"],
        "title": _MARS["title"],
    }
    scribe.open("tool", quote, name="browser")
    scribe.open_answer(channel=None)
    raw = "Mars has two moons【1†source】. Hall found them【2†source】."
    scribe.write_pieces(("Mars has two", " moons", "【1", "†source", "】"))
    scribe.edit(Operation("/message/metadata/citations", "append", [_citation(_MARS, raw, 1)]))
    scribe.write_pieces((".", " Hall found them", "【2†source】"))
    scribe.edit(Operation("/message/metadata/citations", "append", [_citation(_HALL, raw, 2)]))
    scribe.write_pieces((".",))
    scribe.finish()
    first, second = (f'[{n}]({s["url"]} "{s["title"]}")' for n, s in ((1, _MARS), (2, _HALL)))
    shown = f"Mars has two moons {first}. Hall found them {second}."
    return script_of(scribe, expected=Expected(shown, raw=raw), extra={"tool_name": "browser"})


def _citation(source: Json, text: str, number: int) -> Json:
    start = text.index(f"【{number}†")
    return {
        "start_ix": start,
        "end_ix": start + len(f"【{number}†source】"),
        "citation_format_type": "tether_og",
        "metadata": {
            "type": "webpage",
            "title": source["title"],
            "url": source["url"],
            "text": source["snippet"],
        },
        "invalid_reason": None,
    }
