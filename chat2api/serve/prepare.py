"""What is done once before the workers start: the database made ready, waiting files taken in."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from chat2api.errors import StorageUnavailable
from chat2api.serve.console import leaving_plainly
from chat2api.serve.start import ExitCode, StartError
from chat2api.settings.model import Settings
from chat2api.settings.version import version

log = logging.getLogger(__name__)


def prepare_state(settings: Settings) -> None:
    """Raises StartError (78 for a wrong key or a newer database, 69 where it does not answer)."""
    from chat2api.store.opening import KeyMismatch, open_store, prepare_store
    from chat2api.store.options import store_options
    from chat2api.store.schema import NewerSchema

    options = store_options(settings)
    try:
        prepare_store(options, version())
        store = open_store(options)
    except (KeyMismatch, NewerSchema) as error:
        raise StartError(str(error), ExitCode.CONFIG) from error
    except StorageUnavailable as error:
        raise StartError(
            f"the database cannot be used: {error.message}", ExitCode.UNAVAILABLE
        ) from error
    try:
        _take_files(store, settings)
    except StorageUnavailable as error:
        log.warning("files in DATA_DIR are taken in later: %s", error.message)
    finally:
        store.close()


def _take_files(store: object, settings: Settings) -> None:
    from chat2api.service.arrivals import arrivals_of
    from chat2api.store.opening import Store

    assert isinstance(store, Store)
    arrivals_of(store, settings).take_data_dir()


def prepare_state_apart(settings: Settings) -> None:
    """The same in a child process: the caller is not patched yet, and what it imports its workers would
    have unpatched. Leaves by SystemExit with the child's code when that failed."""
    code = _in_child(lambda: prepare_state(settings))
    if code != 0:
        sys.exit(code)


def _in_child(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with leaving_plainly():
                work()
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:
            log.exception("preparing failed")
        finally:
            logging.shutdown()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
