"""The check of a port before anything is started."""

import socket

import pytest

from server.ports import require_free_port
from server.startup_errors import PortTaken, PortUnusable


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"Port {port} on 127.0.0.1 is taken.*--port"):
            require_free_port("127.0.0.1", port, "--port")


def test_a_free_port_is_free_again_after_the_check() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    require_free_port("127.0.0.1", port, "--port")
    require_free_port("127.0.0.1", port, "--port")


def test_a_port_whose_old_connections_linger_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        visitor = socket.create_connection(("127.0.0.1", port))
        accepted, _ = holder.accept()
        # The side that closes first keeps the port in TIME_WAIT.
        accepted.close()
        visitor.close()
    require_free_port("127.0.0.1", port, "--port")


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 8000), ("127.0.0.1", 70_000)])
def test_an_address_that_is_not_ours_or_no_port_is_refused(host: str, port: int) -> None:
    with pytest.raises(PortUnusable, match=f"Port {port} on {host} can't be used"):
        require_free_port(host, port, "--port")
