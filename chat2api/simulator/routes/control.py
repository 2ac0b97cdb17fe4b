"""The routes under /_sim/ by which tests and demos steer the simulator and read what it saw."""

from __future__ import annotations

import ipaddress

from flask import Blueprint, Response, jsonify, request
from pydantic import ValidationError

from chat2api.simulator.behaviours import Behaviour, behaviour_from_json
from chat2api.simulator.connection import open_connections
from chat2api.simulator.documents import Json
from chat2api.simulator.faults import registry as faults
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.routes import control_accounts, control_logins
from chat2api.simulator.routes.steering import sent, the_simulator
from chat2api.simulator.scenarios import registry as scenarios
from chat2api.simulator.simulator import Simulator
from chat2api.simulator.turn import Turn

blueprint = Blueprint("control", __name__, url_prefix="/_sim")
blueprint.register_blueprint(control_accounts.blueprint)
blueprint.register_blueprint(control_logins.blueprint)


@blueprint.before_request
def _loopback_only() -> tuple[Response, int] | None:
    """These routes hand out tokens: they are for this machine, whatever address is listened on."""
    try:
        is_local = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        is_local = False
    return None if is_local else (jsonify({"error": "control is for this machine only"}), 403)


@blueprint.errorhandler(BadParameter)
def _bad(problem: BadParameter) -> tuple[Response, int]:
    return jsonify({"error": str(problem)}), 400


@blueprint.errorhandler(ValidationError)
def _invalid(problem: ValidationError) -> tuple[Response, int]:
    texts = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problem.errors()]
    return jsonify({"error": "; ".join(texts)}), 400


@blueprint.get("/health")
def health() -> Response:
    return jsonify({"status": "ok"})


@blueprint.get("/config")
def read_config() -> Response:
    return jsonify(the_simulator().config.model_dump())


@blueprint.post("/config")
def change_config() -> Response:
    body = sent()
    if not isinstance(body, dict):
        raise BadParameter("send a JSON object of settings")
    return jsonify(the_simulator().configure(body).model_dump())


def _behaviours() -> list[Behaviour]:
    body = sent()
    wishes = body if isinstance(body, list) else [body]
    behaviours = [behaviour_from_json(wish) for wish in wishes]
    for behaviour in behaviours:
        if behaviour.endpoint not in (*the_simulator().endpoints, "any"):
            raise BadParameter(f"there is no endpoint {behaviour.endpoint!r}")
        faults.find(behaviour.faults)
        if behaviour.scenario is not None:
            scenarios.find(behaviour.scenario)
    return behaviours


@blueprint.post("/next")
def enqueue() -> Response:
    the_simulator().behaviours.enqueue(_behaviours())
    return jsonify(the_simulator().behaviours.listing())


@blueprint.post("/default")
def set_defaults() -> Response:
    the_simulator().behaviours.set_defaults(_behaviours())
    return jsonify(the_simulator().behaviours.listing())


@blueprint.get("/behaviours")
def listing() -> Response:
    return jsonify(the_simulator().behaviours.listing())


@blueprint.post("/reset")
def reset() -> Response:
    the_simulator().reset()
    return jsonify({"status": "ok"})


@blueprint.get("/requests")
def requests() -> Response:
    since = Params(request.args).integer("since", 0)
    endpoint = request.args.get("endpoint")
    simulator = the_simulator()
    records = simulator.journal.records(endpoint=endpoint, since=since)
    return jsonify({"requests": records, **_load(simulator)})


@blueprint.get("/running")
def running() -> Response:
    pairs = the_simulator().running()
    return jsonify({"running": [{"owner": o, "conversation_id": c} for o, c in pairs]})


@blueprint.get("/stats")
def stats() -> Response:
    simulator = the_simulator()
    return jsonify({"counters": dict(simulator.journal.counters), **_load(simulator)})


def _load(simulator: Simulator) -> Json:
    port = int(request.environ.get("SERVER_PORT", 0))
    return {
        "active": simulator.journal.counters["active"],
        "connections": open_connections(port),
    }


@blueprint.get("/expected")
def expected() -> Response:
    words = request.args.to_dict()
    scenario = scenarios.find(words.pop("scenario", "echo"))
    turn = Turn(
        prompt=words.pop("prompt", ""),
        model=words.pop("model", "auto"),
        number=Params(words).integer("turn", 1),
        era="2024" if words.pop("era", "2026") == "2024" else "2026",
        params=Params(words),
    )
    if scenario.play is None:
        raise BadParameter(f"`{scenario.name}` sends prepared bytes")
    return jsonify(scenario.play(turn).expected.as_json())


@blueprint.get("/catalogue")
def catalogue() -> Response:
    return jsonify(
        {
            "scenarios": [
                {"name": one.name, "parameters": one.parameters, "about": one.about}
                for one in scenarios.SCENARIOS.values()
            ],
            "faults": [
                {"name": one.name, "parameters": one.parameters, "about": one.about}
                for one in faults.FAULTS.values()
            ],
            "endpoints": list(the_simulator().endpoints),
        }
    )


@blueprint.post("/recordings/<name>")
def store_recording(name: str) -> Response:
    the_simulator().recordings[name] = request.get_data()
    return jsonify({"name": name, "bytes": len(the_simulator().recordings[name])})
