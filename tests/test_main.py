"""`python -m chat2api`."""

import re
import signal

from chat2api.settings.version import version


def test_check_shows_the_settings(start_server):
    checked = start_server("-m", "chat2api", "config", "check", AUTH_KEY="sk-planted", PORT="7")
    assert checked.exit_code() == 0
    assert checked.out.startswith(f"chat2api {version()}\n")
    assert "port 7 (environment PORT)" in " ".join(checked.out.split())
    assert "planted" not in checked.out


def test_check_tells_mistakes(start_server, tmp_path):
    (tmp_path / "c.yaml").write_text("prot: 1\n")
    checked = start_server(
        "-m", "chat2api", "config", "check", "--config", "c.yaml", cwd=tmp_path, PORT="x"
    )
    assert checked.exit_code() == 78
    assert "prot (c.yaml line 1): is not a setting; did you mean port?" in checked.log
    assert "PORT=x: must be a whole number" in checked.log


def test_serve_takes_the_options_of_app_py(start_server):
    server = start_server(
        "-m", "chat2api", "serve", "--host", "127.0.0.1", "--port", "0", "--base_url", "http://x"
    )
    assert server.get("/healthz")[0] == 200
    assert re.search(r"public_base_url +http://x  \(command line --base_url\)", server.out)
    server.popen.send_signal(signal.SIGTERM)
    assert server.exit_code() == 0


def test_serve_has_help(start_server):
    helped = start_server("-m", "chat2api", "serve", "--help")
    assert helped.exit_code() == 0
    for option in ("--host", "--port", "--base_url", "--config", "--workers", "--demo"):
        assert option in helped.out
