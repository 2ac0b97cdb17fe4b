"""A server around a stub application, started like app.py starts ours."""

from pathlib import Path

import pytest

ENTRY = Path(__file__).with_name("stub_entry.py")


@pytest.fixture(scope="session")
def start_stub(start_server):
    """start_stub(*options, **environ): listens on a free port of 127.0.0.1."""

    def start(*options, **environ):
        return start_server(str(ENTRY), "--host", "127.0.0.1", "--port", "0", *options, **environ)

    return start


@pytest.fixture(scope="session")
def stub(start_stub):
    """One that the tests share; they only send it requests."""
    return start_stub(TRUSTED_PROXIES="")
