"""Whether a TCP port can be listened on."""

import errno
import socket

from server.startup_errors import PortTaken, PortUnusable


def require_free_port(host: str, port: int, option: str) -> None:
    """Check before anything is started that `host`:`port` can be listened on; 0 is any free port.

    `option` is what the operator changes it with, such as `--port`.

    Raises:
        PortTaken: another program listens there.
        PortUnusable: the address is not this machine's, or the port needs privileges.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As the server does it: connections of its last run that linger are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address[0], port))
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(host, port, option) from error
        reason = error.strerror or str(error)
        raise PortUnusable(host, port, option, reason) from error
    except OverflowError as error:
        raise PortUnusable(host, port, option, "there is no such port") from error
