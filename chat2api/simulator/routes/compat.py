"""An API like OpenAI's over the same mind: completions with native tools, models, pictures, speech."""

from __future__ import annotations

import base64
import hmac
import json
import zlib
from collections.abc import Sequence
from itertools import chain
from typing import Any

from flask import request

from chat2api.simulator.behaviours import Behaviour, parse_directive
from chat2api.simulator.compat import answering, media
from chat2api.simulator.compat.answering import Done
from chat2api.simulator.compat.asking import Asked, Wrong, parse
from chat2api.simulator.compat.errors import error, in_our_words, refused
from chat2api.simulator.documents import Json
from chat2api.simulator.exchange import Exchange, Handler
from chat2api.simulator.faults import registry as faults
from chat2api.simulator.faults.model import Fault
from chat2api.simulator.mind.decide import decide
from chat2api.simulator.mind.situation import Decision, Say
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.refusals import Refusal, Reply, json_reply
from chat2api.simulator.scenarios import agent, talk
from chat2api.simulator.scenarios import registry as scenarios
from chat2api.simulator.script import Expected
from chat2api.simulator.streaming import SSE_HEADERS, paced, send
from chat2api.simulator.turn import Turn, new_id, tokens
from chat2api.simulator.wire.items import Frame, Items, Pause

CHAT_MODELS = ("compat-large", "compat-mini")
IMAGE_MODEL, SPEECH_MODEL = "compat-image", "compat-tts"
_MODELS = (*CHAT_MODELS, IMAGE_MODEL, SPEECH_MODEL)
_CREATED = 1_750_000_000
_AUDIO = {"mp3": "audio/mpeg", "wav": "audio/wav", "pcm": "audio/pcm"}
_SECONDS_PER_WORD = 0.3
_MOST_SECONDS = 60


def guarded(handler: Handler) -> Handler:
    """A route for holders of the key, whose mistakes are answered in this API's words."""

    def route(exchange: Exchange, **values: Any) -> Reply:
        try:
            _admit(exchange)
            return handler(exchange, **values)
        except Wrong as wrong:
            raise refused(wrong) from None
        except BadParameter as problem:
            raise Refusal(error(400, f"simulator: {problem}"), "parameter") from None

    return route


def plain(handler: Handler) -> Handler:
    """The same for answers that are no completion; plays the faults chosen for the endpoint."""

    def route(exchange: Exchange, **values: Any) -> Reply:
        choice = exchange.choose()
        chosen, params = _faults(choice.faults, choice.params)
        reply = faults.replacement(chosen, params)
        reply = in_our_words(reply) if reply is not None else handler(exchange, **values)
        return faults.finish(reply, chosen, params, is_stream=False)

    return guarded(route)


def _admit(exchange: Exchange) -> None:
    exchange.owner = "compat"
    key = exchange.simulator.config.compat_key
    sent = exchange.headers.get("authorization", "")
    if key and not hmac.compare_digest(sent.encode(), f"Bearer {key}".encode()):
        text = "Incorrect API key provided." if sent else "You didn't provide an API key."
        raise Refusal(error(401, text, code="invalid_api_key" if sent else None), "key")


def _faults(names: Sequence[str], params: Params) -> tuple[tuple[Fault, ...], Params]:
    """The faults, in the form that is usual here unless another is asked for."""
    usual = {"inband": "object", "midway": "object", "rate": "header"}
    forms = [usual[name] for name in names if name in usual]
    if forms and "form" not in params:
        params = params.merged({"form": forms[0]})
    return faults.find(names), params


def _body(exchange: Exchange) -> Json:
    try:
        body = json.loads(exchange.raw_body or b"null")
    except ValueError:
        raise Wrong("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise Wrong("The body of your request must be a JSON object.")
    return body


def _of_model(model: object, offered: Sequence[str]) -> None:
    if model not in offered:
        text = f"The model `{model}` does not exist or you do not have access to it."
        raise Refusal(error(404, text, code="model_not_found"), "model")


# --- models


def models(exchange: Exchange) -> Reply:
    """GET /models"""
    return json_reply({"object": "list", "data": [_model(name) for name in _MODELS]})


def model(exchange: Exchange, name: str) -> Reply:
    """GET /models/{name}"""
    _of_model(name, _MODELS)
    return json_reply(_model(name))


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "simulator"}


# --- completions


def chat(exchange: Exchange) -> Reply:
    """POST /chat/completions"""
    asked = parse(_body(exchange))
    _of_model(asked.model, CHAT_MODELS)
    directive, prompt = parse_directive(asked.prompt.text)
    if directive is not None:
        faults.find(directive.faults)
        text = asked.prompt.text
        if directive.faults and not exchange.simulator.behaviours.still_due(text, directive.times):
            directive = Behaviour(scenario=directive.scenario, params=directive.params)
    choice = exchange.choose(directive, asked.model)
    chosen, params = _faults(choice.faults, choice.params)
    if (reply := faults.replacement(chosen, params)) is not None:
        return faults.finish(in_our_words(reply), chosen, params, is_stream=False)
    exchange.record.scenario = choice.scenario
    answers = [
        _answer(exchange, asked, choice.scenario, prompt, params) for _ in range(asked.choices)
    ]
    return _sent(exchange, asked, answers, chosen, params)


def _answer(exchange: Exchange, asked: Asked, scenario: str, prompt: str, params: Params) -> Done:
    """What the scenario gives; the default and `agent` leave it to the mind."""
    if scenario in ("echo", "agent"):
        decision = decide(asked.situation)
        if decision is not None or scenario == "agent":
            decision = decision or Decision((Say(agent.GREETING),))
            return answering.limited(answering.done(decision, asked, new_id), asked)
    lines = asked.situation.lines
    users = [line.text for line in lines if line.role == "user"]
    turn = Turn(
        prompt,
        asked.model,
        number=max(len(users), 1),
        opening=users[0] if len(users) > 1 else "",
        system=next((line.text for line in lines if line.role == "system"), ""),
        params=params,
        now=exchange.simulator.clock(),
    )
    play = scenarios.find(scenario).play
    if play is None:
        raise BadParameter(f"the scenario `{scenario}` is not for this API")
    expected = talk.echo(turn).expected if scenario == "echo" else play(turn).expected
    return answering.limited(_as_done(expected, asked), asked)


def _as_done(expected: Expected, asked: Asked) -> Done:
    seen = "".join(f"I see {picture}.\n\n" for picture in asked.prompt.pictures)
    finish = "stop" if expected.finish_reason == "error" else expected.finish_reason
    return Done(seen + expected.text, expected.reasoning, finish=finish)


def _sent(
    exchange: Exchange,
    asked: Asked,
    answers: list[Done],
    chosen: Sequence[Fault],
    params: Params,
) -> Reply:
    simulator = exchange.simulator
    completion_id, now = f"chatcmpl-{new_id().replace('-', '')}", simulator.clock()
    noted = Expected(answers[0].text, reasoning=answers[0].thought).as_json()
    exchange.record.expected = noted | {"finish_reason": answers[0].finish}
    if not asked.stream:
        reply = json_reply(answering.completion(asked, answers, completion_id, now))
        return faults.finish(reply, chosen, params, is_stream=False)
    items: Items = answering.frames(asked, answers, completion_id, now)
    rate = params.number("tps", simulator.config.pacing)
    if rate > 0:
        first = Pause(simulator.config.first_token_seconds)
        items = chain((first,), paced(items, 1 / rate))
    return send(exchange, items, chosen, params, completion_id, SSE_HEADERS)


# --- pictures


def picture(exchange: Exchange) -> Reply:
    """POST /images/generations"""
    body = _body(exchange)
    return _drawn(body, str(body.get("prompt") or "").encode(), "image_generation")


def edited_picture(exchange: Exchange) -> Reply:
    """POST /images/edits: the picture depends on what was sent."""
    sent = [*request.files.getlist("image"), *request.files.getlist("image[]")]
    if not sent:
        raise Wrong("Missing required parameter: 'image'.", "image")
    body: Json = dict(request.form)
    if body.get("n"):
        body["n"] = int(body["n"]) if body["n"].isdigit() else body["n"]
    body["stream"] = body.get("stream") == "true"
    return _drawn(body, b"".join(one.read() for one in sent), "image_edit")


def _drawn(body: Json, seed: bytes, kind: str) -> Reply:
    _of_model(body.get("model", IMAGE_MODEL), (IMAGE_MODEL,))
    prompt, count = body.get("prompt"), body.get("n") or 1
    if not isinstance(prompt, str) or not prompt:
        raise Wrong("Missing required parameter: 'prompt'.", "prompt")
    if type(count) is not int or not 1 <= count <= 10:
        raise Wrong(f"Invalid value for 'n': {count!r}.", "n")
    colours = [f"{zlib.crc32(seed, index) & 0xFFFFFF:06x}" for index in range(count)]
    asked = len(tokens(prompt))
    usage: Json = {
        "input_tokens": asked,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": asked},
        "output_tokens": count,
        "total_tokens": asked + count,
    }
    if body.get("stream"):
        return _events(_drawing(colours[0], kind, usage))
    by_url = body.get("response_format") == "url"
    place = f"{request.url_root}compat/v1/pictures/"
    data = [{"url": f"{place}{one}.png"} if by_url else {"b64_json": _png(one)} for one in colours]
    return json_reply({"created": _CREATED, "data": data, "usage": usage})


def _png(colour: str) -> str:
    return base64.b64encode(media.png(*bytes.fromhex(colour))).decode()


def _drawing(colour: str, kind: str, usage: Json) -> list[Json]:
    """A preview and the picture, as events."""
    common = {
        "b64_json": _png(colour),
        "created_at": _CREATED,
        "size": "1024x1024",
        "quality": "high",
        "background": "opaque",
        "output_format": "png",
    }
    preview = {"type": f"{kind}.partial_image", "partial_image_index": 0, **common}
    return [preview, {"type": f"{kind}.completed", **common, "usage": usage}]


def kept_picture(exchange: Exchange, colour: str) -> Reply:
    """GET /pictures/{colour}.png: no key is needed, since addresses are opened by anybody."""
    try:
        red, green, blue = bytes.fromhex(colour)
    except ValueError:
        return error(404, "There is no such picture.")
    return Reply(200, media.png(red, green, blue), (("Content-Type", "image/png"),))


# --- speech


def speech(exchange: Exchange) -> Reply:
    """POST /audio/speech"""
    body = _body(exchange)
    _of_model(body.get("model"), (SPEECH_MODEL,))
    for name in ("input", "voice"):
        if not body.get(name):
            raise Wrong(f"Missing required parameter: '{name}'.", name)
    form = body.get("response_format") or "mp3"
    if form not in _AUDIO:
        raise Wrong(f"Invalid value for 'response_format': {form!r}.", "response_format")
    words = len(str(body["input"]).split())
    seconds = min(words * _SECONDS_PER_WORD, _MOST_SECONDS)
    sound = media.mp3(seconds) if form == "mp3" else media.wav(seconds)
    if form == "pcm":
        sound = sound[media.WAV_HEADER :]
    if body.get("stream_format") == "sse":
        audio = base64.b64encode(sound).decode()
        usage = {"input_tokens": words, "output_tokens": words, "total_tokens": 2 * words}
        delta = {"type": "speech.audio.delta", "audio": audio}
        return _events([delta, {"type": "speech.audio.done", "usage": usage}])
    return Reply(200, iter((sound,)), (("Content-Type", _AUDIO[form]),))


def _events(values: list[Json]) -> Reply:
    """The values as named events, without an end mark."""
    frames = [Frame(json.dumps(value), value["type"]) for value in values]
    return Reply(200, faults.spell(iter(frames), (), Params()), SSE_HEADERS)
