from __future__ import annotations
import traceback, sys, logging
from typing import Any
from .test_hostile_input import *  # noqa
from .test_hostile_input import _NOT_HERE
import re

def own_names(module):
    path = WEB.parent.parent / (module.replace(".", "/") + ".py")
    text = path.read_text()
    extra = []
    for m in re.findall(r"from (chat2api\.web[\w.]*) import", text):
        p = WEB.parent.parent / (m.replace(".", "/") + ".py")
        if p.exists() and p.name in ("account_query.py","request_filter.py","key_forms.py","account_acts.py","settings_form.py"):
            extra.append(p.read_text())
    text += "\n".join(extra)
    return text

def test_sweep(hall: Any, caplog) -> None:
    names = names_of()
    bad = {}
    n = 0
    for endpoint, path, module in hall.routes("GET"):
        text = own_names(module)
        mine = [x for x in names if f'"{x}"' in text]
        for name in mine + ["lang", "zzz"]:
            for value in NASTY:
                for headers in (HTML,):
                    n += 1
                    try:
                        a = hall.site.client.get(path, query_string={name: value}, headers=headers)
                        checked(a, (path, name, value[:40]))
                        a.close()
                    except Exception as e:
                        bad.setdefault((endpoint, name, str(e)[:300] ), value[:30])
    print(n)
    for k, v in bad.items(): print(k, repr(v))

def test_sweep_post(hall: Any) -> None:
    names = names_of()
    bad = {}
    n = 0
    for endpoint, path, module in hall.routes("POST"):
        if endpoint in ("sign_in.submit","sign_in.leave","why.submit","sessions.end","sessions.end_others"): continue
        text = own_names(module)
        mine = [x for x in names if f'"{x}"' in text]
        base = {}
        if endpoint=="account_acts.act": base={"action":"remove","id":hall.ids["account_id"]}
        if endpoint=="settings.review":
            mine += ["account.0.email","account.0.remove","account.0.access_token","account.new.email","account.new.proxy","account.0.mark","keys.0.value","keys.0.masked","keys.new","keys.99999999999.value","account."+"9"*5000+".email","account.٣.email","setting.retry_times","setting.tz","setting.log_level","setting.queue_seconds","setting.account_concurrency","proxy","chatgpt_base_url","seen","revision", "setting.bogus"]
        for name in mine + ["zzz"]:
            for value in NASTY:
                for headers in (HTML,):
                    n += 1
                    try:
                        a = hall.site.client.post(path, data={"csrf": hall.csrf, **base, name: value}, headers=headers)
                        checked(a, (path, name, value[:40]))
                        a.close()
                    except Exception as e:
                        bad.setdefault((endpoint, name, str(e)[:300]), value[:30])
    print(n)
    for k, v in bad.items(): print(k, repr(v))
