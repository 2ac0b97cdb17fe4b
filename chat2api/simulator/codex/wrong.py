"""Refusals in the two voices of the Codex backend: `detail` of its gate, `error` of the API behind it."""

from __future__ import annotations

from chat2api.simulator.refusals import Refusal, detail, json_reply


def gate(text: str, status: int = 400) -> Refusal:
    """`{"detail": …}`"""
    return Refusal(detail(status, text), "body")


def invalid(text: str, param: str | None, code: str | None = "invalid_value") -> Refusal:
    """400 with `{"error": {"message", "type", "param", "code"}}`."""
    return _error(400, text, param, code)


def missing(param: str) -> Refusal:
    text = f"Missing required parameter: '{param}'."
    return invalid(text, param, "missing_required_parameter")


def unknown(param: str) -> Refusal:
    return invalid(f"Unknown parameter: '{param}'.", param, "unknown_parameter")


def unstored(what: str, name: str) -> Refusal:
    """404 for what was never kept."""
    text = (
        f"{what} with id '{name}' not found. Items are not persisted when `store` is set to false."
    )
    return _error(404, text, "input", None)


def _error(status: int, text: str, param: str | None, code: str | None) -> Refusal:
    told = {"message": text, "type": "invalid_request_error", "param": param, "code": code}
    return Refusal(json_reply({"error": told}, status), "body")
