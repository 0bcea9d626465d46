"""Judges a running Hazina with the public conformance suites: `make conformance`.

Starts `hazina up` in a folder of its own, unless HAZINA_URLS names endpoints that run already.
Needs node 20, npm, and for pages Debian's Chromium.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from integrations.sandbox.demo import DEMO_PAYSTACK_PUBLIC_KEY, DEMO_PAYSTACK_SECRET_KEY

HERE: Final = Path(__file__).parent
PATIENCE_S: Final = 120
PAYSTACK_KEYS: Final = {
    "secret_key": DEMO_PAYSTACK_SECRET_KEY,
    "public_key": DEMO_PAYSTACK_PUBLIC_KEY,
}


def main() -> int:
    """The exit status: 0 where everything passed."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        sys.stderr.write("The conformance suites need node 20 and npm on the PATH.\n")
        return 2
    subprocess.run([npm, "ci", "--silent"], cwd=HERE, check=True)
    if "HAZINA_URLS" in os.environ:
        return _judged(node, {})
    with _running() as demo:
        tenant = {
            "HAZINA_URLS": demo["graphql_url"],
            "HAZINA_TOKEN": demo["api_key"],
            "HAZINA_PAYMENTS": "1",
            "HAZINA_QUIET_SUBSCRIPTION": "subscription { paymentsUpdated { id } }",
            "HAZINA_STORE": demo["store_id"],
            "HAZINA_SANDBOX": demo["sandbox_url"],
            "HAZINA_PAYSTACK_KEYS": json.dumps(PAYSTACK_KEYS),
        }
        owner = {"HAZINA_URLS": demo["owner_graphql_url"]}
        return max(_judged(node, settings) for settings in (tenant, owner))


def _judged(node: str, settings: Mapping[str, str]) -> int:
    done = subprocess.run([node, "run.mjs"], cwd=HERE, env={**os.environ, **settings}, check=False)
    return done.returncode


@contextmanager
def _running() -> Iterator[dict[str, str]]:
    """`hazina up` until the block ends; gives what demo.json holds."""
    hazina = Path(sys.executable).with_name("hazina")
    with tempfile.TemporaryDirectory(prefix="hazina-conformance-") as folder:
        Path(folder).chmod(0o711)
        command = [str(hazina), "up", "--port", str(_free_port()), "--data-dir", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            try:
                assert running.stdout is not None
                for line in running.stdout:
                    sys.stdout.write(line)
                    if line.startswith("demo payment"):
                        break
                yield json.loads((Path(folder) / "demo.json").read_text())
            finally:
                running.send_signal(signal.SIGTERM)
                running.wait(PATIENCE_S)


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
