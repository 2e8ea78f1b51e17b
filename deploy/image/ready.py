"""Whether the worker in this container can work: asks /readyz on DULY_HEALTH_PORT. Exit code 0: yes; 1: no.

For health checks of containers; standard library alone, no shell. In Kubernetes the kubelet asks by itself.
"""

# ruff: noqa: INP001 -- the image's script, no module

import os
import socket
import sys

SECONDS = 4.0


def is_ready(port: int) -> bool:
    """Whether the window on this port of loopback answers 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as link:
            link.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return link.recv(16).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_ready(int(os.environ.get("DULY_HEALTH_PORT", "8080"))) else 1)
