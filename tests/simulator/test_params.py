"""Parameters, read with a type."""

from __future__ import annotations

import pytest

from chat2api.simulator.params import BadParameter, Params


def test_parameters_are_read_with_a_type() -> None:
    params = Params({"n": "3", "x": "y", "yes": "on", "no": 0, "maybe": "perhaps"})
    assert (params.integer("n", 1), params.number("m", 0.5), params.text("x", "")) == (3, 0.5, "y")
    assert (params.flag("yes"), params.flag("no", True), params.flag("absent", True)) == (
        True,
        False,
        True,
    )
    for broken in (lambda: params.number("x", 1), lambda: params.flag("maybe")):
        with pytest.raises(BadParameter):
            broken()


def test_merging_leaves_the_original_alone() -> None:
    params = Params({"a": 1})
    merged = params.merged({"a": 2, "b": 3})
    assert (merged.integer("a", 0), merged.integer("b", 0)) == (2, 3)
    assert (params.integer("a", 0), "b" in params) == (1, False)
