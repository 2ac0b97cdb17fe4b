"""`python app.py`, the real application."""

import json
import signal

import psutil
import pytest

ROOT_APP = "app.py"


@pytest.fixture(scope="module")
def app_py(pytestconfig):
    return str(pytestconfig.rootpath / ROOT_APP)


@pytest.fixture(scope="module")
def server(start_server, app_py):
    """The demo, shared by tests that only send requests."""
    return start_server(app_py, "--demo", "--port", "0")


def ask(server):
    body = json.dumps(
        {"model": "auto", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
    ).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return server.raw(head.encode() + body)


def test_one_command_and_it_answers(server):
    status, headers, body = ask(server)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["choices"][0]["message"]["content"]


def test_no_access_token_is_in_the_log(server):
    ask(server)
    assert "eyJ" not in server.log + server.out


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/models", "/nowhere", "/v1/nowhere"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "TRACE", "CONNECT"])
def test_every_answer_has_a_request_id_and_names_no_software(server, path, method):
    _, headers, body = server.raw(
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    assert headers["x-request-id"].startswith("req_")
    assert "server" not in headers
    assert not {b"gunicorn", b"Werkzeug", b"Traceback"} & set(body.split())


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PATCH"])
def test_methods_without_use_are_405(server, method):
    status, headers, body = server.raw(
        f"{method} /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    assert (status, headers["content-type"]) == (405, "application/json")
    error = json.loads(body)["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "method_not_allowed")


def test_the_runtimes_lifecycle_is_told_of_the_end(start_server, app_py):
    """Readiness turns at once, while a stream still runs; then the process leaves with 0."""
    server = start_server(app_py, "--demo", "--port", "0")
    with server.connect() as stream, server.connect() as other:
        body = json.dumps(
            {"stream": True, "max_tokens": 30, "messages": [{"role": "user", "content": "Hello"}]}
        ).encode()
        stream.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        assert stream.recv(65_536).startswith(b"HTTP/1.1 200")
        server.popen.send_signal(signal.SIGTERM)
        server.wait_for("Handling signal: term")
        other.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert other.recv(65_536).startswith(b"HTTP/1.1 503")
        rest = b"".join(iter(lambda: stream.recv(65_536), b""))
    assert b"data: [DONE]" in rest
    assert server.exit_code() == 0


def test_everything_ends_with_a_killed_server(start_server, app_py):
    server = start_server(app_py, "--demo", "--port", "0", "--workers", "2")
    assert ask(server)[0] == 200
    family = server.family()
    server.popen.kill()
    assert psutil.wait_procs(family[1:], timeout=8)[1] == []


@pytest.mark.parametrize(
    ("environ", "code", "told"),
    [
        ({"CHAT2API_HISTORY": "off"}, 78, "CHAT2API_HISTORY (environment): is not a setting"),
        ({"HISTORY_DISABLED": "ture"}, 78, "HISTORY_DISABLED=ture: must be true, 1, t"),
        ({"PORT": "99999"}, 78, "PORT=99999: must be a whole number from 0 to 65535"),
        ({"CHATGPT_BASE_URL": "chatgpt.com"}, 78, "must be an http:// or https:// address"),
        ({"PROXY_URL": "x://u:planted@h"}, 78, "PROXY_URL=***: must look like http://"),
        ({"DATA_DIR": "/dev/null/x"}, 73, "the data directory /dev/null/x cannot be written"),
    ],
)
def test_mistakes_are_told_before_anything_is_bound(start_server, app_py, environ, code, told):
    server = start_server(app_py, **environ)
    assert server.exit_code() == code
    assert told in server.log
    assert not {"Listening", "Traceback", "planted"} & set(server.log.replace(":", " ").split())


def test_a_child_that_runs_the_main_file_again_gets_nothing(start_server, app_py):
    """What multiprocessing's spawned children do; they must stay free of gevent and the application."""
    script = (
        "import runpy, sys; "
        f"names = runpy.run_path({app_py!r}, run_name='__mp_main__'); "
        "print(sorted({'gevent', 'flask', 'chat2api', 'gunicorn'} & set(sys.modules)), "
        "'app' in names)"
    )
    child = start_server("-c", script)
    assert child.exit_code() == 0
    assert child.out == "[] False\n"
