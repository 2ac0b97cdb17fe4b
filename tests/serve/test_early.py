"""The first lines of a serving process, in a process of their own."""

SCRIPT = """
import gc, socket, sys
from chat2api.serve.early import go_green, settle
before = set(sys.modules)
go_green()
print(sorted({"chat2api.serve.command", "flask", "requests"} & (before | set(sys.modules))))
print(socket.socket.__module__, gc.isenabled())
settle()
print(gc.isenabled(), gc.get_freeze_count() > 1000)
"""


def test_sockets_are_green_and_the_collector_rests_until_all_is_imported(start_server):
    child = start_server("-c", SCRIPT)
    assert child.exit_code() == 0
    assert child.out.splitlines() == ["[]", "gevent._socket3 False", "True True"]
