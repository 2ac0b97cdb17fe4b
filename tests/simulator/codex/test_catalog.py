"""Models by plan and client version."""

from __future__ import annotations

from chat2api.simulator.codex.catalog import MODELS, etag, find, listing, version


def slugs(plan: str, client: str) -> list[str]:
    numbers = version(client)
    assert numbers is not None
    return [entry["slug"] for entry in listing(plan, numbers)["models"]]


def test_versions() -> None:
    assert version("0.142.5") == (0, 142, 5)
    assert version("0.144.0-alpha.3") == (0, 144, 0)
    for text in ("", "1", "1.2", "a.b.c", "1.2.3.4", "1.2.-3", "1.2.³"):
        assert version(text) is None


def test_the_list_depends_on_the_client() -> None:
    assert slugs("plus", "0.42.0") == []
    assert len(slugs("plus", "0.142.5")) == 5
    assert slugs("plus", "0.144.0")[:3] == ["gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna"]
    assert slugs("plus", "999.0.0") == [model.slug for model in MODELS]


def test_and_on_the_plan() -> None:
    free = slugs("free", "999.0.0")
    assert "gpt-5.6-terra" in free
    assert not {"gpt-5.6-sol", "gpt-5.4", "gpt-5.3-codex-spark"} & set(free)
    assert slugs("a plan of tomorrow", "999.0.0") == slugs("plus", "999.0.0")
    assert find("gpt-5.4", "free") is None
    assert find("gpt-5-codex", "plus") is None


def test_an_entry() -> None:
    first, *_ = listing("plus", (999, 0, 0))["models"]
    efforts = [level["effort"] for level in first["supported_reasoning_levels"]]
    assert efforts == ["low", "medium", "high", "xhigh", "max", "ultra"]
    assert (first["default_reasoning_level"], first["visibility"]) == ("low", "list")
    assert (first["context_window"], first["service_tiers"][0]["id"]) == (272_000, "priority")
    *_, last = listing("plus", (999, 0, 0))["models"]
    assert (last["slug"], last["visibility"]) == ("codex-auto-review", "hide")
    assert last["default_reasoning_level"] is None


def test_what_goes_over_the_wire() -> None:
    sol = find("gpt-5.6-sol", "plus")
    assert sol is not None
    assert sol.on_the_wire == ("low", "medium", "high", "xhigh", "max")
    assert etag() == etag()
