"""Our processes: what each needs, how it shows that it works, and who stops before whom.

The one list that `portico run`, the tests and docker-compose.yml agree on.
"""

from __future__ import annotations

from dataclasses import dataclass

DATABASE = "PORTICO_DATABASE_URL"
VALKEY = "PORTICO_REDIS_URL"
SECRET_KEY = "PORTICO_SECRET_KEY"  # noqa: S105 - the name of a variable
INTERNAL_TOKEN = "PORTICO_INTERNAL_TOKEN"  # noqa: S105 - the name of a variable
TWILIO_AUTH_TOKEN = "PORTICO_TWILIO_AUTH_TOKEN"  # noqa: S105 - the name of a variable
RELAY_REDIS_URL = "PORTICO_RELAY_REDIS_URL"
RELAY_KAFKA_PASSWORD = "PORTICO_RELAY_KAFKA_PASSWORD"  # noqa: S105 - the name of a variable
# Every platform has these; the rest is somebody else's, and there if it is used.
OWN_CREDENTIALS = (DATABASE, VALKEY, SECRET_KEY, INTERNAL_TOKEN)
CREDENTIALS = (*OWN_CREDENTIALS, TWILIO_AUTH_TOKEN, RELAY_REDIS_URL, RELAY_KAFKA_PASSWORD)


@dataclass(frozen=True)
class Part:
    """One of our processes.

    Args:
        name: its `portico` command.
        after: what must be ready before it starts.
        trusted_with: the variables out of CREDENTIALS that it is told; no other part sees them.
        socket: the unix socket that it listens on, if it does.
        once: whether it does its work and ends, instead of serving.
    """

    name: str
    after: tuple[str, ...] = ()
    trusted_with: tuple[str, ...] = ()
    socket: str | None = None
    once: bool = False


PARTS = (
    Part("migrate", after=("postgres",), trusted_with=(DATABASE,), once=True),
    Part(
        "core",
        after=("migrate", "valkey"),
        trusted_with=OWN_CREDENTIALS,
        socket="core.sock",
    ),
    Part(
        "authorize",
        after=("valkey",),
        trusted_with=(VALKEY, INTERNAL_TOKEN),
        socket="authorize.sock",
    ),
    Part(
        "ratelimit",
        after=("valkey",),
        trusted_with=(VALKEY,),
        socket="ratelimit.sock",
    ),
    Part("web", trusted_with=(INTERNAL_TOKEN,), socket="web.sock"),
    Part(
        "stream",
        after=("valkey",),
        trusted_with=(VALKEY, INTERNAL_TOKEN),
        socket="stream.sock",
    ),
    Part(
        "worker",
        after=("migrate", "valkey"),
        trusted_with=(DATABASE, VALKEY, SECRET_KEY, TWILIO_AUTH_TOKEN),
    ),
    Part(
        "relay",
        after=("migrate",),
        trusted_with=(DATABASE, RELAY_REDIS_URL, RELAY_KAFKA_PASSWORD),
    ),
    Part("mailbox"),
    # Last: Envoy looks at the core once at the start, and then only every other second.
    Part("gateway", after=("core", "authorize", "ratelimit", "web", "stream")),
)

# Each stage stops together, and only when the stage before has stopped: requests
# in flight, jobs in hand and mails on their way all still find what they need.
STOP_ORDER = (
    ("gateway",),
    ("authorize", "ratelimit", "web", "stream"),
    ("core",),
    ("worker",),
    ("relay",),
    ("mailbox",),
    ("valkey",),
    ("postgres",),
)
