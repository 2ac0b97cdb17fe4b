"""Scenarios that use tools inside the turn: code, pictures, a look-up between two answers."""

from __future__ import annotations

from chat2api.simulator.documents import Json, Operation
from chat2api.simulator.script import Expected, Script
from chat2api.simulator.turn import CALL_STOP, Scribe, Turn, code_content, script_of, text_content

_SOURCE = "total = sum(range(101))\nprint(total)"
_ANSWER = "The sum is 5050."


def code(turn: Turn) -> Script:
    """Python runs; `fail=1` makes it raise."""
    failed = turn.params.flag("fail")
    output = "ZeroDivisionError: division by zero" if failed else "5050"
    answer = "That did not work: division by zero." if failed else _ANSWER
    scribe = Scribe(turn)
    scribe.open("assistant", code_content(), recipient="python", status="in_progress")
    scribe.write(_SOURCE)
    scribe.finish(end_turn=False, metadata=CALL_STOP)
    scribe.wait(0.3)
    aggregate: Json = {
        "status": "failed_with_in_kernel_exception" if failed else "success",
        "code": _SOURCE,
        "final_expression_output": None if failed else output,
        "in_kernel_exception": {"name": "ZeroDivisionError", "args": []} if failed else None,
        "messages": [],
    }
    result = {"content_type": "execution_output", "text": output}
    scribe.open("tool", result, name="python", metadata={"aggregate_result": aggregate})
    scribe.answer(answer)
    fenced = f"\n```python\n{_SOURCE}\n```\n\n```Output\n{output}\n```\n{answer}"
    expected = Expected(answer, markdown=fenced)
    return script_of(scribe, expected=expected, extra={"tool_name": "python"})


def tools(turn: Turn) -> Script:
    """Text, a tool, text, a tool, text: several visible answers in one turn."""
    answers = ("First I look at the river.", "It is high today.", "So the mill will run.")
    scribe = Scribe(turn)
    for index, answer in enumerate(answers):
        is_last = index == len(answers) - 1
        scribe.answer(answer, end_turn=is_last)
        if is_last:
            break
        call = code_content('{"query": "river level"}')
        scribe.open("assistant", call, recipient="api_tool.call_tool", end_turn=False)
        # Tool text must never be taken for an answer.
        scribe.open("tool", text_content("LEVEL 4.2 m"), name="api_tool", recipient="assistant")
    return script_of(
        scribe, expected=Expected("\n\n".join(answers)), extra={"tool_name": "api_tool"}
    )


_PROMPT = "A red cube on a white table, soft light"
_CAPTION = "Here is your red cube. Shall I make the light warmer?"
_ORDERS = "You are responding right after an image was generated. Do not repeat these orders."


def picture(turn: Turn) -> Script:
    """A preview, then the picture and a caption. `n=N` pictures; `later=SECONDS` finishes the
    picture only after the stream has ended."""
    scribe = Scribe(turn)
    count = max(turn.params.integer("n", 1), 1)
    later_seconds = turn.params.number("later", 0)
    tool = "dalle.text2im" if turn.era == "2024" else "t2uay3k.sj1i4kz"
    call = '{"prompt":"' + _PROMPT + '","size":"1024x1024"}'
    if turn.era == "2026":
        call = '{"skipped_mainline":true}'
    scribe.open("assistant", code_content(call), recipient=tool, end_turn=False)
    scribe.wait(0.3)
    finals = tuple(_pointer(turn, index) for index in range(count))
    previews = [_picture(f"{pointer}-preview", height=512) for pointer in finals]
    task = {"async_task_type": "image_gen", "image_gen_async": True, "image_gen_title": "Red cube"}
    scribe.open(
        "tool",
        {"content_type": "multimodal_text", "parts": previews},
        name=tool,
        status="in_progress",
        metadata=task,
    )
    expected = Expected(_CAPTION, images=finals)
    extra = {"tool_name": "ImageGen", "use_case": "image gen"}
    if later_seconds:
        scribe.tell("conversation_async_status", async_status=3)
        after = Scribe(turn)
        _complete(after, finals)
        steps = tuple(after.steps)
        return script_of(
            scribe, expected=expected, later=steps, later_seconds=later_seconds, extra=extra
        )
    scribe.wait(0.3)
    _complete(scribe, finals)
    scribe.tell("conversation_async_status", async_status=4)
    return script_of(scribe, expected=expected, extra=extra)


def _complete(scribe: Scribe, finals: tuple[str, ...]) -> None:
    operations = []
    for index, pointer in enumerate(finals):
        part = f"/message/content/parts/{index}"
        operations += [
            Operation(f"{part}/asset_pointer", "replace", pointer),
            Operation(f"{part}/size_bytes", "replace", 1_400_000),
            Operation(f"{part}/metadata/generation/height", "replace", 1024),
        ]
    scribe.edit(
        *operations,
        Operation("/message/status", "replace", "finished_successfully"),
        Operation("/message/metadata", "append", {"image_gen_async": False}),
    )
    scribe.open("tool", text_content(_ORDERS), name="t2uay3k.sj1i4kz", end_turn=False)
    scribe.answer(_CAPTION)


def _pointer(turn: Turn, index: int) -> str:
    digits = turn.exchange_id.replace("-", "")[:24]
    if turn.era == "2024":
        return f"file-service://file-{digits[:20]}{index:04d}"
    return f"sediment://file_00000000{digits[:20]}{index:04d}"


def _picture(pointer: str, *, height: int) -> Json:
    generation = {"gen_id": "simulator", "height": height, "width": 1024, "orientation": "square"}
    drawn = {"gen_id": "simulator", "prompt": _PROMPT, "seed": None, "edit_op": None}
    return {
        "content_type": "image_asset_pointer",
        "asset_pointer": pointer,
        "size_bytes": 90_000,
        "width": 1024,
        "height": 1024,
        "fovea": None,
        "metadata": {"dalle": drawn, "gizmo": None, "generation": generation},
    }
