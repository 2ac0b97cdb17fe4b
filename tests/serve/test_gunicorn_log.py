import logging

from gunicorn.config import Config

from chat2api.serve.gunicorn_log import GunicornLog


def test_gunicorns_lines_go_where_ours_go():
    log = GunicornLog(Config())
    for name in ("gunicorn.error", "gunicorn.access"):
        logger = logging.getLogger(name)
        assert logger.handlers == []
        assert logger.propagate is True
    assert log.access_log_enabled is False


def test_a_reload_follows_the_level():
    config = Config()
    log = GunicornLog(config)
    config.set("loglevel", "error")
    log.setup(config)
    assert logging.getLogger("gunicorn.error").level == logging.ERROR
    log.setup(Config())
    assert logging.getLogger("gunicorn.error").handlers == []


def test_addresses_of_requests_are_not_repeated():
    config = Config()
    config.set("loglevel", "debug")
    GunicornLog(config)
    assert logging.getLogger("gunicorn.error").level == logging.INFO
