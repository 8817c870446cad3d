"""An application of others as a process: started with its ports, waited for, and ended; what it printed is shown when a check failed."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

from interop import expect

START_DEADLINE = 90


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Application:
    """A running program that listens on these ports; `text` is its standard input."""

    def __init__(self, command, ports, *, text="", environment=None):
        self._output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        # The tests' own proxy, if there is one, isn't for addresses of this machine.
        own = os.environ | {"NO_PROXY": "localhost,127.0.0.1"} | (environment or {})
        self._process = subprocess.Popen(
            command, env=own, stdin=subprocess.PIPE, stdout=self._output, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self._process.stdin.write(text)
        self._process.stdin.close()
        deadline = time.monotonic() + START_DEADLINE
        for port in ports:
            while not answers(port):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    expect(False, f"{command[0]} does not start: {self.output()[-2000:]}")
                time.sleep(0.1)

    def output(self):
        self._output.seek(0)
        return self._output.read()

    def stop(self):
        # With whatever it started itself.
        try:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(timeout=20)
        except ProcessLookupError:
            # It had ended by itself, and nothing of it is left.
            pass
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)


def stop(report, applications):
    """Ends them, and shows what they said where a check failed."""
    for application in applications:
        application.stop()
        if report.failed:
            print(application.output()[-8000:], file=sys.stderr)
