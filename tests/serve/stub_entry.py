"""An entry like app.py with a small application in place of ours. Run by the tests as a program."""

import sys
from types import SimpleNamespace

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

from chat2api.serve.command import run  # noqa: E402


class Stub:
    """Answers by path; its streams end in-band once draining has begun."""

    def __init__(self, settings):
        self.settings = settings
        self.draining = threading.Event()
        self.notes = {}
        lifecycle = SimpleNamespace(begin_drain=self.begin_drain)
        self.extensions = {"chat2api": SimpleNamespace(lifecycle=lifecycle, close=self.close)}

    def begin_drain(self):
        # A lock, a wait and a log line: what must not be done in a signal handler.
        with threading.Lock():
            time.sleep(0.01)
        print(f"STUB drain {time.time()}", file=sys.stderr, flush=True)
        self.draining.set()

    def close(self):
        print("STUB close", file=sys.stderr, flush=True)

    def __call__(self, environ, start_response):
        action = environ["PATH_INFO"].strip("/") or "echo"
        return getattr(self, f"do_{action}")(environ, start_response)

    def answer(self, start_response, value, status="200 OK"):
        body = json.dumps(value).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    def do_echo(self, environ, start_response):
        body = environ["wsgi.input"].read()
        if self.draining.is_set():
            return self.answer(start_response, "draining", "503 Service Unavailable")
        seen = {k: v for k, v in environ.items() if k.startswith(("HTTP_", "SCRIPT_", "REMOTE_AD"))}
        seen |= {"method": environ["REQUEST_METHOD"], "scheme": environ["wsgi.url_scheme"]}
        return self.answer(start_response, seen | {"body": body.decode(), "pid": os.getpid()})

    def do_facts(self, environ, start_response):
        facts = {"frozen": gc.get_freeze_count() > 1000, "retry_times": self.settings.retry_times}
        return self.answer(start_response, facts)

    def do_large(self, environ, start_response):
        """As many bytes as asked for, in two pieces; chunked unless the length is announced."""
        size = int(environ["QUERY_STRING"].strip("="))
        announced = [("Content-Length", str(2 * size))] if "=" in environ["QUERY_STRING"] else []
        start_response("200 OK", announced)
        return [b"a" * size, b"b" * size]

    def do_boom(self, environ, start_response):
        raise RuntimeError("planted sk-planted0123456789")

    def do_late(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"first"
        raise RuntimeError("planted sk-planted0123456789")

    def do_header(self, environ, start_response):
        start_response("200 OK", [("X-Bad", "a\r\nb")])
        return [b""]

    def do_greenlet(self, environ, start_response):
        import gevent

        def fail():
            raise RuntimeError("planted sk-planted0123456789")

        gevent.spawn(fail).join()
        return self.answer(start_response, "died")

    def do_stream(self, environ, start_response):
        """Ends in-band within a tenth of a second of draining, or never."""
        start_response("200 OK", [("Content-Type", "text/plain")])
        while not self.draining.wait(0.1):
            yield b"."
        yield b"end"

    def do_deaf(self, environ, start_response):
        """Streams on whatever happens; its `finally` must run all the same."""
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            while True:
                yield b"."
                time.sleep(0.05)
        finally:
            print("STUB finally", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(sys.argv[1:], lambda keeper: Stub(keeper.current().settings), os.environ)
