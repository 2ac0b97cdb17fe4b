import json
import signal
import socket
import time
import urllib.request

import psutil
import pytest

from chat2api.serve.command import Options, load
from chat2api.settings.problems import SettingsError
from chat2api.settings.version import version


def test_the_command_line_is_the_strongest_source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("workers: 3\nretry_times: 5\n")
    options = Options(port="7", base_url="https://x.example/", config="c.yaml")
    loaded = load(options, {"PORT": "8", "HOST": "::1"})
    assert (loaded.settings.port, loaded.sources["port"]) == (7, "command line --port")
    assert (loaded.settings.host, loaded.settings.workers) == ("::1", 3)
    assert loaded.settings.public_base_url == "https://x.example"
    assert loaded.sources["public_base_url"] == "command line --base_url"


def test_demo_and_a_public_host_do_not_go_together():
    with pytest.raises(SettingsError, match="--demo serves without a key"):
        load(Options(host="0.0.0.0", demo=True), {})


def test_demo_ignores_a_public_host_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load(Options(demo=True), {"HOST": "0.0.0.0"}).settings.host == "127.0.0.1"


# --- as processes


@pytest.mark.parametrize(
    ("options", "environ", "code", "told"),
    [
        (["--port", "70000"], {}, 78, "--port=70000: must be a whole number from 0 to 65535"),
        ([], {"CHAT2API_PROT": "1"}, 78, "did you mean CHAT2API_PORT?"),
        (["--config", "none.yaml"], {}, 78, "none.yaml: the configuration file does not exist"),
        (["--host", "0.0.0.0", "--demo"], {}, 78, "listens on this machine only"),
        ([], {"DATA_DIR": "/dev/null/x"}, 73, "/dev/null/x cannot be written"),
        (["--host", "192.0.2.1"], {}, 78, "no address of this machine"),
        (["--nonsense"], {}, 2, "No such option"),
    ],
)
def test_what_keeps_it_from_starting(start_stub, options, environ, code, told):
    server = start_stub(*options, **environ)
    assert server.exit_code() == code
    assert told in server.log
    assert "Traceback" not in server.log
    assert "Listening" not in server.log


def test_a_taken_port(start_stub):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start_stub("--port", str(port))
        assert server.exit_code() == 69
    assert server.log == (
        f"port {port} on 127.0.0.1 is in use by another process; choose one with --port\n"
    )


def test_settings_are_shown_at_the_start_without_secrets(start_stub):
    server = start_stub(
        "--base-url",
        "https://me.example",
        AUTHORIZATION="sk-planted",
        PROXY_URL="http://a:planted@h",
    )
    server.get("/")
    lines = server.out.splitlines()
    assert lines[0] == f"chat2api {version()}"
    shown = dict(line.split(maxsplit=1) for line in lines[1:])
    assert shown["authorization"] == "***  (environment AUTHORIZATION)"
    assert shown["public_base_url"] == "https://me.example  (command line --base_url)"
    assert "planted" not in server.out + server.log


def test_json_logs_hold_nothing_else(start_stub):
    server = start_stub(LOG_FORMAT="json")
    server.wait_for('"event": "Listening at: ')
    assert server.out == ""
    entries = [json.loads(line) for line in server.log.splitlines()]
    assert {"time", "level", "logger", "request_id", "event"} <= set(entries[0])
    assert entries[0]["event"] == "starting"


def test_version(start_stub):
    server = start_stub("--version")
    assert server.exit_code() == 0
    assert server.out == f"chat2api, version {version()}\n"


@pytest.fixture
def demo(start_stub):
    server = start_stub("--demo", DRAIN_SECONDS="5")
    server.wait_until(lambda: "Ctrl-C ends it." in server.out)
    return server


def simulators(server):
    return [p for p in server.family() if "chat2api.simulator" in p.cmdline()]


def test_the_demo_tells_how_to_use_it(demo):
    assert f"The demo is ready at http://127.0.0.1:{demo.port}/v1" in demo.out
    assert f"curl -N http://127.0.0.1:{demo.port}/v1/chat/completions" in demo.out
    assert f"http://127.0.0.1:{demo.port}/admin: the key sk-demo opens them." in demo.out
    shown = [" ".join(line.split()) for line in demo.out.splitlines()]
    assert "host 127.0.0.1 (command line --host)" in shown
    assert "allow_anonymous true (--demo)" in shown


def test_the_demos_upstream_outlives_its_streams_and_no_more(demo):
    upstream = simulators(demo)
    url = demo.wait_until(lambda: demo.out.partition("chatgpt_base_url")[2].split()[0])
    with demo.connect() as stream:
        stream.sendall(b"GET /deaf HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.recv(65_536)
        demo.popen.send_signal(signal.SIGTERM)
        demo.wait_for("STUB drain")
        time.sleep(0.3)
        with urllib.request.urlopen(f"{url}/_sim/accounts", timeout=5) as response:
            assert response.status == 200
    assert demo.exit_code() == 0
    assert psutil.wait_procs(upstream, timeout=3)[1] == []


def test_ctrl_c_ends_the_demo(demo):
    upstream = simulators(demo)
    for process in demo.family():
        if process not in upstream:  # a terminal signals its own session only
            process.send_signal(signal.SIGINT)
    assert demo.exit_code() == 0
    assert psutil.wait_procs(upstream, timeout=3)[1] == []
    assert "Traceback" not in demo.log


def test_the_demos_upstream_ends_with_a_killed_server(demo):
    family = demo.family()
    demo.popen.kill()
    assert psutil.wait_procs(family[1:], timeout=8)[1] == []
