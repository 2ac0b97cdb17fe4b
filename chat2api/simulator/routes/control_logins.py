"""The control routes for people who log in: what codes there are, and doing what a person would."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from chat2api.simulator.params import BadParameter
from chat2api.simulator.routes.steering import sent, the_simulator
from chat2api.simulator.signing_in import DeviceLogin

blueprint = Blueprint("logins", __name__)


@blueprint.get("/device")
def device_codes() -> Response:
    simulator = the_simulator()
    now = simulator.clock()
    return jsonify({"codes": [one.as_json(now) for one in simulator.signing_in.all()]})


@blueprint.post("/device/<user_code>")
def decide(user_code: str) -> Response:
    """`{"do": "approve", "account": NAME}`, `{"do": "deny"}` or `{"do": "expire"}`."""
    simulator, body = the_simulator(), sent()
    login = simulator.signing_in.find(user_code)
    if login is None or not isinstance(body, dict):
        raise BadParameter(f"there is no code {user_code!r}, or no JSON object was sent")
    match body.get("do"):
        case "expire":
            simulator.signing_in.expire(login)
        case "deny":
            _settle(login, None)
        case "approve":
            name = str(body.get("account"))
            if simulator.accounts.named(name) is None:
                raise BadParameter(f"there is no account {name!r}")
            _settle(login, name)
        case _:
            raise BadParameter("do must be approve, deny or expire")
    return jsonify(login.as_json(simulator.clock()))


def _settle(login: DeviceLogin, account: str | None) -> None:
    if the_simulator().signing_in.decide(login.user_code, account) is None:
        raise BadParameter("the code is over, or was settled before")
