"""Envoy's parent: starts it, and stops it without cutting a request.

    python -I -S launcher.py ADMIN_SOCKET DELAY PATIENCE ENVOY ARGUMENTS...

SIGTERM and SIGINT alone would make Envoy drop what is in flight. So they end
here, and Envoy is asked in this order: call the platform not ready, and go on
for DELAY seconds, so that a load balancer in front notices; close the port;
finish, for at most PATIENCE seconds, what was accepted; end. A second signal
ends it at once.

It needs nothing but the standard library, and few modules of that: it stays in
memory for as long as Envoy runs.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

# What Envoy warns of at every start, and rightly so once: the verbs that are not in any RFC
# (`allow_custom_methods`), and that its own keys cannot be fetched before it listens. They
# would hide what is new. Once Envoy is live both loggers warn as usual.
QUIET_AT_START = ("--component-log-level", "misc:error,jwt:error")
QUIET_LOGGERS = ("misc", "jwt")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
STOPPING = "portico.stopping"
ACTIVE = "http.public.downstream_rq_active"
STREAMS = ("cluster.streams.upstream_rq_active", "cluster.stream.upstream_rq_active")
POLL_SECONDS = 0.05
# So long nothing may be in flight before it is believed that nothing will be: whoever sends
# request after request on one connection has heard by then that it closes.
QUIET_SECONDS = 0.3
ADMIN_SECONDS = 2.0
END_SECONDS = 5.0  # that Envoy has to end once it is asked to
PR_SET_PDEATHSIG = 1


class Envoy:
    """The child, and its administration.

    Args:
        admin: the path of the administration socket.
        command: the program and its arguments.
    """

    def __init__(self, admin: str, command: list[str]) -> None:
        self._admin = admin
        # A group of its own: Ctrl-C at the terminal is for us.
        self._process = subprocess.Popen(  # noqa: S603 - the command is ours
            command, process_group=0, preexec_fn=_die_with_parent
        )

    def ended(self) -> int | None:
        """The exit code as a shell gives it; None while it runs."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    def kill(self) -> None:
        """Ends it if it does not end when it is asked to."""
        self._process.kill()

    def terminate(self) -> None:
        """Ends it, and what is in flight with it."""
        self._process.terminate()

    def ask(self, method: str, path: str) -> str:
        """Asks the administration; the answer is empty if there is none."""
        request = f"{method} {path} HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n"
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ADMIN_SECONDS)
            connection.connect(self._admin)
            connection.sendall(request.encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        return ""

    def is_live(self) -> bool:
        """Whether it serves."""
        return "LIVE" in self.ask("GET", "/ready")

    def is_busy(self) -> bool:
        """Whether a request is in flight; a stream is none, for it would never end by itself."""
        counts = dict.fromkeys((ACTIVE, *STREAMS), 0)
        for line in self.ask("GET", "/stats?filter=_rq_active$").splitlines():
            name, _, count = line.partition(": ")
            if name in counts:
                counts[name] = int(count)
        return counts[ACTIVE] > sum(counts[name] for name in STREAMS)


def main(arguments: list[str]) -> int:
    """Runs Envoy until it ends or we are asked to stop.

    Returns:
        Envoy's exit code.
    """
    admin, delay, patience, *command = arguments
    signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP_SIGNALS, signal.SIGCHLD))
    envoy = Envoy(admin, command)
    live = False
    while not asked_to_stop(None if live else POLL_SECONDS):
        if (code := envoy.ended()) is not None:
            return code
        if not live and envoy.is_live():
            live = True
            for name in QUIET_LOGGERS:
                envoy.ask("POST", f"/logging?{name}=warning")
    return stop(envoy, float(delay), float(patience))


def stop(envoy: Envoy, delay: float, patience: float) -> int:
    """Ends Envoy when it has answered what it accepted."""
    envoy.ask("POST", f"/runtime_modify?{STOPPING}=100")
    hurry = delay > 0 and asked_to_stop(delay)
    # From now on answers say that the connection closes after them.
    envoy.ask("POST", "/healthcheck/fail")
    envoy.ask("POST", "/drain_listeners?inboundonly")
    now = time.monotonic()
    deadline, quiet_since = now + patience, now
    while not hurry and envoy.ended() is None and now < deadline:
        if envoy.is_busy():
            quiet_since = now
        elif now - quiet_since > QUIET_SECONDS:
            break
        hurry = asked_to_stop(POLL_SECONDS)
        now = time.monotonic()
    envoy.terminate()
    deadline = time.monotonic() + END_SECONDS
    while (code := envoy.ended()) is None:
        if time.monotonic() > deadline:
            envoy.kill()
        asked_to_stop(POLL_SECONDS)
    return code


def asked_to_stop(seconds: float | None) -> bool:
    """Waits for a signal, at most so long.

    Returns:
        Whether it was one that asks to stop; it may as well be the end of Envoy.
    """
    signals = (*STOP_SIGNALS, signal.SIGCHLD)
    if seconds is None:
        return signal.sigwait(signals) in STOP_SIGNALS
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        caught = signal.sigtimedwait(signals, left)
        if caught is not None:
            return caught.si_signo in STOP_SIGNALS
    return False


def _die_with_parent() -> None:
    """In the child: nobody is left to drain it if we are killed, and its port must be free."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOP_SIGNALS, signal.SIGCHLD))
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
