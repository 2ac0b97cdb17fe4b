"""Cloudflare's cookies, and no others."""

from __future__ import annotations

from chat2api.providers.codex.cookies import CookieJars

A, B = ("a", ""), ("b", "")
SET = "__cf_bm=one; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT, oai-did=x; Path=/, _cfuvid=two; HttpOnly"


def test_only_those_of_cloudflare_are_kept() -> None:
    jars = CookieJars()
    jars.absorb(A, {"set-cookie": SET})
    assert jars.header(A) == "__cf_bm=one; _cfuvid=two"
    assert jars.header(B) == ""
    assert jars.header(("a", "http://proxy")) == ""


def test_newer_values_replace_and_empty_ones_remove() -> None:
    jars = CookieJars()
    jars.absorb(A, {"set-cookie": SET})
    jars.absorb(A, {"set-cookie": "__cf_bm=new; Path=/, _cfuvid=; Max-Age=0"})
    jars.absorb(A, {})
    assert jars.header(A) == "__cf_bm=new"


def test_a_name_within_another_is_not_it() -> None:
    jars = CookieJars()
    jars.absorb(A, {"set-cookie": "x__cf_bm=one; Path=/"})
    assert jars.header(A) == ""


def test_the_least_recently_used_are_forgotten() -> None:
    jars = CookieJars(most=2)
    for key in (A, B):
        jars.absorb(key, {"set-cookie": "__cf_bm=1"})
    assert jars.header(A)
    jars.absorb(("c", ""), {"set-cookie": "__cf_bm=1"})
    assert jars.header(A)
    assert not jars.header(B)
