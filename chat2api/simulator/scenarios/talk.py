"""The default answer: a friendly echo in the user's language that makes a demo feel alive."""

from __future__ import annotations

from chat2api.simulator.script import Expected, Script
from chat2api.simulator.turn import Scribe, Turn, script_of

_QUOTE_CHARS = 280

_CODE = """```python
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:5005/v1", api_key="sk-demo")
stream = client.chat.completions.create(
    model="auto",
    messages=[{"role": "user", "content": "/sim reasoning"}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
```"""


def echo(turn: Turn) -> Script:
    """Repeats what was said, counts the turn, and shows what else there is to try."""
    text = _chinese(turn) if turn.is_chinese else _english(turn)
    scribe = Scribe(turn)
    scribe.answer(text)
    return script_of(scribe, expected=Expected(text))


def _quote(text: str) -> str:
    shown = text.strip()
    if len(shown) > _QUOTE_CHARS:
        shown = shown[:_QUOTE_CHARS].rstrip() + "…"
    return "\n".join(f"> {line}".rstrip() for line in shown.splitlines() or [""])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:60].rstrip() + "…"


def _english(turn: Turn) -> str:
    memory = f"This is turn **{turn.number}** of our conversation"
    if turn.number > 1 and turn.opening:
        memory += f"; it began when you said “{_short(turn.opening)}”"
    if turn.system:
        memory += f". I was told: “{_short(turn.system)}”"
    words, size = len(turn.prompt.split()), len(turn.prompt)
    return f"""Hello! Your message made the whole trip: through the gateway, past the proof of work, and back to you as a stream.

You wrote:

{_quote(turn.prompt)}

That is {words} word{"" if words == 1 else "s"} in {size} character{"" if size == 1 else "s"}. {memory}.

I am the **built-in simulator**, so there is no model behind this answer. Everything around it is real, which makes me a good partner for trying things out:

- `/sim reasoning` thinks before it answers
- `/sim search` brings citations, `/sim code` runs some Python
- `/sim text fault=reset after=5` breaks the line in the middle
- `/sim help` lists everything I can play

The same from Python:

{_CODE}

Ask me anything; I will always have something to say about it."""


def _chinese(turn: Turn) -> str:
    memory = f"这是我们对话的第 **{turn.number}** 轮"
    if turn.number > 1 and turn.opening:
        memory += f"，最开始你说的是“{_short(turn.opening)}”"
    if turn.system:
        memory += f"。系统提示是“{_short(turn.system)}”"
    return f"""你好！你的消息已经走完了全程：经过网关，通过工作量证明，再以流的形式回到你面前。

你写的是：

{_quote(turn.prompt)}

一共 {len(turn.prompt)} 个字符。{memory}。

我是**内置模拟器**，这个回答背后没有真正的模型，但其余的一切都是真的，很适合用来试验：

- `/sim reasoning` 先思考再回答
- `/sim search` 带引用，`/sim code` 会运行一段 Python
- `/sim text fault=reset after=5` 中途断开连接
- `/sim help` 列出全部场景

用 Python 也一样：

{_CODE}

随便问吧，我总能接上话。"""
