import json
import re
import signal
import time

import psutil
import pytest

from chat2api.serve.parser_errors import METHODS


def refused(answer):
    """The parts of a refusal that tests compare; checks the shape on the way."""
    status, headers, body = answer
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"
    assert re.fullmatch(r"req_[0-9a-f]{32}", headers["x-request-id"])
    assert int(headers["content-length"]) == len(body)
    assert not {"server", "date"} & {name for name in headers if name == "server"}
    assert list(json.loads(body)) == ["error"]
    error = json.loads(body)["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert "planted" not in body.decode()
    return status, error["type"], error["param"], error["code"]


def one_answer(connection):
    """The bytes of one answer with a Content-Length, and not one more."""
    with connection.makefile("rb") as reader:
        head = b"".join(iter(reader.readline, b"\r\n"))
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        return head + reader.read(length)


def post(headers, body=b""):
    return b"POST /echo HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n" + body


INVALID = (400, "invalid_request_error", None, "invalid_value")


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
        post(b"Transfer-Encoding: chunked\r\nContent-Length: 4", b"0\r\n\r\n"),
        post(b"Content-Length: 4\r\nContent-Length: 5", b"abcde"),
        post(b"Content-Length: 4\r\nContent-Length: 4", b"abcd"),
        post(b"Content-Length: 4, 4", b"abcd"),
        post(b"Content-Length: +4", b"abcd"),
        post(b"Content-Length: -4", b"abcd"),
        post(b"Content-Length: 0x4", b"abcd"),
        post(b"Transfer-Encoding: chunked, identity", b"0\r\n\r\n"),
        post(b"Transfer-Encoding: identity, chunked, chunked", b"0\r\n\r\n"),
        post(b"Transfer-Encoding: planted", b"0\r\n\r\n"),
        post(b"Transfer-Encoding: xchunked", b"0\r\n\r\n"),
        post(b"Transfer-Encoding: identity", b"abcd"),
        post(b"Transfer-Encoding : chunked", b"0\r\n\r\n"),
        post(b"Content-Length : 4", b"abcd"),
        post(b"X-Planted: a\r\n folded"),
        post(b"X-Planted: a\r\n\tfolded"),
        post(b"X-Pla nted: a"),
        post(b": a"),
        post(b"no colon"),
        post(b"X-Planted: a\x00b"),
        post(b"X-Planted: a\rb"),
        post(b"X: a\nX-Planted: b"),
        post(b"Host: y"),
        post(b"Expect: 200-planted"),
        post(b"Transfer-Encoding: chunked", b"planted\r\n\r\n"),
        post(b"Transfer-Encoding: chunked", b"-1\r\n\r\n"),
        post(b"Transfer-Encoding: chunked", b"3\r\nabcdef\r\n0\r\n\r\n"),
        post(b"Transfer-Encoding: chunked", b"3;planted=\x01\r\nabc\r\n0\r\n\r\n"),
        b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /echo HTTP/2.0\r\n\r\n",
        b"GET /echo HTTP/1.1 planted\r\n\r\n",
        b"GET /echo\r\n\r\n",
        b"GET  /echo HTTP/1.1\r\n\r\n",
        b"GET /planted\xff HTTP/1.1\r\n\r\n",
        b"get /echo HTTP/1.1\r\n\r\n",
        b"<script>planted /echo HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET * HTTP/1.1\r\n\r\n",
    ],
)
def test_smuggling_and_nonsense_is_400_and_close(stub, request_bytes):
    assert refused(stub.raw(request_bytes)) == INVALID


def test_nothing_of_a_refused_request_is_served(stub):
    """The bytes after a refused request could be a smuggled one: exactly one answer comes."""
    hidden = b"0\r\n\r\nGET /facts HTTP/1.1\r\nHost: x\r\n\r\n"
    _, _, body = stub.raw(post(b"Content-Length: 4\r\nTransfer-Encoding: chunked", hidden))
    assert b"HTTP/1.1" not in body


@pytest.mark.parametrize(
    "request_line",
    [
        b"TRACE / HTTP/1.1",
        b"TRACE /v1/chat/completions HTTP/1.1",
        b"CONNECT planted.example:443 HTTP/1.1",
        b"CONNECT / HTTP/1.1",
        b"CONNECT * HTTP/1.1",
        b"CONNECT planted\xff:443 HTTP/1.1",
    ],
)
def test_trace_and_connect_are_405(stub, request_line):
    answer = stub.raw(request_line + b"\r\nHost: x\r\nX-Planted: planted\r\n\r\n")
    assert refused(answer) == (405, "invalid_request_error", None, "method_not_allowed")
    assert answer[1]["allow"] == METHODS


@pytest.mark.parametrize("size", [8_300, 20_000, 300_000])
def test_a_long_address_is_414(stub, size):
    answer = stub.raw(b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert refused(answer) == (414, "invalid_request_error", None, "uri_too_long")


@pytest.mark.parametrize(
    "headers", [b"X: " + b"a" * 9_000, b"X: " + b"a" * 65_536, b"\r\n".join([b"X: a"] * 120)]
)
def test_large_or_many_headers_are_431(stub, headers):
    expected = (431, "invalid_request_error", None, "headers_too_large")
    assert refused(stub.raw(post(headers))) == expected


def test_the_refusal_arrives_although_input_is_unread(stub):
    """Closing on unread input resets the connection and may drop the answer."""
    for _ in range(5):
        status, _, _ = stub.raw(post(b"Content-Length: x", b"a" * 500_000))
        assert status == 400


INTERNAL = (500, "server_error", None, "internal_error")


@pytest.mark.parametrize("path", ["/boom", "/header"])
def test_an_error_of_the_application_is_500_without_its_story(stub, path):
    answer = stub.get(path)
    assert refused(answer) == INTERNAL
    request_id = answer[1]["x-request-id"]
    line = next(line for line in stub.log.splitlines() if f"[{request_id}]" in line)
    assert line.endswith("error outside the application")


def test_an_error_after_the_first_byte_breaks_the_connection(stub):
    """No second status line into the body, and no end marker that would make it look whole."""
    status, _, body = stub.get("/late")
    assert status == 200
    assert body == b"5\r\nfirst\r\n"


def test_errors_in_greenlets_are_logged_redacted(stub):
    assert stub.get("/greenlet")[2] == b'"died"'
    stub.wait_for(r"chat2api\.serve\.worker \[-\] a greenlet died\n")
    stub.wait_for(r"    \| RuntimeError: planted \*\*\*\n")
    shown = [line for line in stub.log.splitlines() if "raise RuntimeError" not in line]
    assert not any("sk-planted" in line for line in shown)


def test_the_software_is_not_named(stub):
    for path in ("/", "/boom", "/facts"):
        _, headers, body = stub.get(path)
        assert "server" not in headers
        assert b"gunicorn" not in body


def test_an_untrusted_peer_says_nothing_about_the_connection(stub):
    seen = json.loads(
        stub.raw(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-Proto: https\r\n"
            b"SCRIPT_NAME: /evil\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
        )[2]
    )
    assert (seen["scheme"], seen["REMOTE_ADDR"], seen["SCRIPT_NAME"]) == ("http", "127.0.0.1", "")


def test_a_trusted_proxy_may_say_https_but_not_move_the_application(start_stub):
    server = start_stub(TRUSTED_PROXIES="127.0.0.0/8")
    seen = json.loads(
        server.raw(
            b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-Proto: https\r\n"
            b"SCRIPT_NAME: /echo\r\n\r\n"
        )[2]
    )
    assert (seen["scheme"], seen["SCRIPT_NAME"]) == ("https", "")


def test_keep_alive_pipelining_and_late_bodies(stub):
    with stub.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        answers = b""
        while answers.count(b'"pid"') < 2:
            answers += connection.recv(65_536)
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        time.sleep(0.05)
        connection.sendall(b"cd")
        while b'"body": "abcd"' not in answers:
            answers += connection.recv(65_536)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.count(b"Connection: keep-alive") == 3


@pytest.mark.parametrize("size", [1, 65_536, 6_000_000])
def test_bodies_of_any_size_arrive_whole(stub, size):
    expected = b"a" * size + b"b" * size
    _, headers, body = stub.get(f"/large?={size}")
    assert headers["content-length"] == str(2 * size)
    assert body == expected
    _, headers, body = stub.get(f"/large?{size}")
    assert headers["transfer-encoding"] == "chunked"
    assert body == b"".join(b"%X\r\n%b\r\n" % (size, c * size) for c in (b"a", b"b")) + b"0\r\n\r\n"


def test_what_start_up_made_is_left_to_the_collector(stub):
    assert json.loads(stub.get("/facts")[2])["frozen"] is True


# --- the end


def test_a_drain_lets_streams_end_and_leaves_with_zero(start_stub):
    server = start_stub(DRAIN_SECONDS="5")
    with server.connect() as stream:
        stream.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"." in stream.recv(65_536) + stream.recv(65_536)
        server.popen.send_signal(signal.SIGTERM)
        sent = time.time()
        rest = b"".join(iter(lambda: stream.recv(65_536), b""))
        assert rest.endswith(b"3\r\nend\r\n0\r\n\r\n")
        assert time.time() - sent < 1.5
    assert server.exit_code() == 0
    began = float(server.wait_for(r"STUB drain (\S+)")[1])
    assert began - sent < 0.5
    assert server.log.index("STUB drain") < server.log.index("STUB close")


def test_while_draining_new_connections_are_refused_and_old_ones_told(start_stub):
    server = start_stub(DRAIN_SECONDS="5")
    with server.connect() as busy, server.connect() as idle, server.connect() as fresh:
        busy.sendall(b"GET /deaf HTTP/1.1\r\nHost: x\r\n\r\n")
        busy.recv(65_536)
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one_answer(idle).startswith(b"HTTP/1.1 200")
        server.popen.send_signal(signal.SIGTERM)
        server.wait_for("STUB drain")
        fresh.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: fresh.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Connection: close" in answer
        with pytest.raises(ConnectionRefusedError):
            server.wait_until(lambda: server.connect().close(), seconds=1)
        assert idle.recv(65_536) == b""  # closed once its grace is over, not after keep-alive


def test_idle_connections_do_not_hold_up_the_exit(start_stub):
    server = start_stub()
    with server.connect() as used, server.connect() as silent, server.connect() as half:
        used.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        one_answer(used)
        half.sendall(b"GET / HT")
        began = time.monotonic()
        server.popen.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert time.monotonic() - began < 3
        assert silent.recv(1) == b""


def test_what_does_not_end_is_ended_with_its_finally(start_stub):
    server = start_stub(DRAIN_SECONDS="0.1")  # so the last resort comes after 3 seconds
    with server.connect() as stream:
        stream.sendall(b"GET /deaf HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.recv(65_536)
        server.popen.send_signal(signal.SIGTERM)
        assert server.exit_code(8) == 0
    assert "STUB finally" in server.log
    assert "running requests are cut count=1" in server.log
    assert server.log.index("STUB finally") < server.log.index("STUB close")


def test_ctrl_c_is_quick(start_stub):
    server = start_stub(DRAIN_SECONDS="20")
    with server.connect() as stream:
        stream.sendall(b"GET /deaf HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.recv(65_536)
        for process in server.family():
            process.send_signal(signal.SIGINT)
        assert server.exit_code(5) == 0
    assert "STUB finally" in server.log
    assert "STUB close" in server.log
    assert "Traceback" not in server.log


def test_ctrl_c_cuts_a_drain_short(start_stub):
    server = start_stub(DRAIN_SECONDS="20")
    with server.connect() as stream:
        stream.sendall(b"GET /deaf HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.recv(65_536)
        server.popen.send_signal(signal.SIGTERM)
        server.wait_for("STUB drain")
        server.popen.send_signal(signal.SIGINT)
        assert server.exit_code(5) == 0
    assert "STUB finally" in server.log


def test_a_killed_worker_is_replaced(start_stub):
    server = start_stub("--workers", "2")
    first = json.loads(server.get("/")[2])["pid"]
    psutil.Process(first).kill()
    assert server.wait_until(lambda: len(server.family()) == 3 and server.get("/")[0] == 200)
    assert first not in {process.pid for process in server.family()}


def test_workers_end_with_a_killed_parent(start_stub):
    server = start_stub("--workers", "2")
    server.wait_until(lambda: len(server.family()) == 3)
    server.get("/")
    workers = server.family()[1:]
    server.popen.kill()
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert alive == []
