import signal

import pytest


@pytest.fixture
def configured(start_server, tmp_path):
    """configured(text, **environ): a server that reads this .env, which a test may then change."""
    from pathlib import Path

    entry = Path(__file__).with_name("stub_entry.py")

    def start(text, **environ):
        (tmp_path / ".env").write_text(text)
        command = (str(entry), "--host", "127.0.0.1", "--port", "0")
        return start_server(*command, cwd=tmp_path, **environ)

    return start


def retry_times(server):
    import json

    return json.loads(server.get("/facts")[2])["retry_times"]


def test_sighup_brings_new_settings_without_losing_a_stream(configured, tmp_path):
    server = configured("RETRY_TIMES=1\nDRAIN_SECONDS=3\n")
    assert retry_times(server) == 1
    with server.connect() as stream:
        stream.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.recv(65_536)
        (tmp_path / ".env").write_text("RETRY_TIMES=2\nDRAIN_SECONDS=3\nPORT=1\n")
        server.popen.send_signal(signal.SIGHUP)
        server.wait_until(lambda: retry_times(server) == 2)
        rest = b"".join(iter(lambda: stream.recv(65_536), b""))
    assert rest.endswith(b"end\r\n0\r\n\r\n")
    assert "settings reloaded" in server.log


def test_sighup_with_a_mistake_keeps_what_works(configured, tmp_path):
    server = configured("RETRY_TIMES=1\nAUTH_KEY=sk-planted0123456789\n")
    assert retry_times(server) == 1
    (tmp_path / ".env").write_text("RETRY_TIMES=many\nAUTH_KEY=sk-planted0123456789\n")
    server.popen.send_signal(signal.SIGHUP)
    server.wait_for(r"reload refused, the settings in use stay: .*RETRY_TIMES=many")
    server.wait_for(r"(?s)Booting worker.*Booting worker")
    assert retry_times(server) == 1
    assert "planted" not in server.log + server.out
    server.popen.send_signal(signal.SIGTERM)
    assert server.exit_code() == 0
