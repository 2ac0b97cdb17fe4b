"""`gunicorn -c gunicorn.conf.py app:app` serves as `python app.py` does."""

import json
import re
import signal

import pytest


@pytest.fixture(scope="module")
def gunicorn(start_server, pytestconfig, tmp_path_factory):
    """gunicorn(*options, env_file=…, **environ), in a directory with a `.env`; gives both."""
    root = pytestconfig.rootpath

    def start(*options, env_file="", **environ):
        cwd = tmp_path_factory.mktemp("gunicorn")
        (cwd / ".env").write_text(env_file)
        command = ["-m", "gunicorn", "-c", str(root / "gunicorn.conf.py"), *options, "app:app"]
        environ = {"HOST": "127.0.0.1", "PORT": "0", **environ}
        return start_server(*command, cwd=cwd, **environ), cwd

    return start


@pytest.fixture(scope="module")
def server(gunicorn):
    return gunicorn(env_file="AUTHORIZATION=sk-planted0123456789\n")[0]


def test_it_answers(server):
    status, headers, _ = server.get("/healthz")
    assert (status, "server" in headers) == (200, False)
    assert server.get("/v1/models")[0] == 401


def test_refusals_are_drawn_by_our_worker(server):
    status, headers, body = server.raw(b"GET / HTTP/9.9\r\n\r\n")
    assert (status, headers["content-type"]) == (400, "application/json")
    assert json.loads(body)["error"]["code"] == "invalid_value"


def test_settings_are_shown_masked_and_nothing_warns(server):
    server.get("/healthz")
    assert re.search(r"authorization +\*\*\*  \(\.env AUTHORIZATION\)", server.out)
    assert "planted" not in server.out + server.log
    assert "Warning" not in server.log


def test_its_own_options_win(gunicorn):
    server, _ = gunicorn("--workers", "2", WORKERS="1")
    server.get("/healthz")
    # The arbiter, two workers, and one compute child of each.
    assert server.wait_until(lambda: len(server.family()) == 5)


@pytest.mark.parametrize(
    ("environ", "code", "told"),
    [
        ({"CHAT2API_PROT": "1"}, 78, "did you mean CHAT2API_PORT?"),
        ({"DATA_DIR": "/dev/null/x"}, 73, "cannot be written"),
    ],
)
def test_mistakes_end_it_with_the_same_codes(gunicorn, environ, code, told):
    server, _ = gunicorn(**environ)
    assert server.exit_code() == code
    assert told in server.log
    assert "Traceback" not in server.log


def test_a_reload_with_a_mistake_keeps_what_works(gunicorn):
    server, cwd = gunicorn(env_file="AUTHORIZATION=sk-planted0123456789\n")
    assert server.get("/v1/models")[0] == 401
    (cwd / ".env").write_text("AUTHORIZATION=sk-planted0123456789\nRETRY_TIMES=many\n")
    server.popen.send_signal(signal.SIGHUP)
    server.wait_for("reload refused, the settings in use stay")
    server.wait_for(r"(?s)Booting worker.*Booting worker")
    assert server.get("/v1/models")[0] == 401
    (cwd / ".env").write_text("ALLOW_ANONYMOUS=yes\n")
    server.popen.send_signal(signal.SIGHUP)
    server.wait_until(lambda: server.get("/v1/models")[0] == 200)
    server.popen.send_signal(signal.SIGTERM)
    assert server.exit_code() == 0
