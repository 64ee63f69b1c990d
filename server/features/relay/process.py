"""`portico relay`: the relay as a process, one bus or both, and what it says of itself."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Collection
from typing import TYPE_CHECKING

import structlog
import uvloop
from prometheus_client import start_http_server

from portico_kit import logs
from portico_kit.background import cancel
from portico_kit.gc import freeze_startup_objects
from portico_kit.settings import read
from portico_kit.signals import stop_signal
from portico_kit.start import StartError, one_line, require_free
from server.common.event_names import ALIASES
from server.features.relay import metrics
from server.features.relay.bus import Bus
from server.features.relay.event_log import Wanted
from server.features.relay.relay import Relay
from server.settings import RelaySettings

if TYPE_CHECKING:
    from server.features.relay.kafka import KafkaSecurity

log = structlog.get_logger("relay")

# How long what is under way may take to finish.
STOP_SECONDS = 5.0
METRICS_PORT = "PORTICO_RELAY_METRICS_PORT"


def main(event_types: Collection[str]) -> None:
    """Relays until SIGTERM or SIGINT; a wrong setting is one clear line.

    Args:
        event_types: every type that there is.
    """
    settings = read(RelaySettings)
    logs.configure("relay", settings.log_level)
    # It has lines for each attempt to reach a broker; ours say what is wrong.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with one_line("relay"):
        require_known(settings.relay_types, event_types)
        uvloop.run(serve(settings))


async def serve(settings: RelaySettings) -> None:
    """Relays to each bus that the settings name."""
    relays = [
        Relay(settings.database_url, bus, wanted(settings), settings.relay_start == "latest")
        for bus in buses(settings)
    ]
    if not relays:
        raise StartError("set PORTICO_RELAY_KAFKA_SERVERS or PORTICO_RELAY_REDIS_URL")
    if settings.relay_metrics_port is not None:
        require_free("127.0.0.1", settings.relay_metrics_port, METRICS_PORT)
        start_http_server(settings.relay_metrics_port, addr="127.0.0.1")
    stop = stop_signal()
    log.info("started", buses=[relay.name for relay in relays])
    freeze_startup_objects()
    measuring = [asyncio.create_task(relay.measure()) for relay in relays]
    running = [asyncio.create_task(relay.run()) for relay in relays]
    await stop.wait()
    for relay in relays:
        relay.stop()
    await asyncio.wait(running, timeout=STOP_SECONDS)
    await cancel(*running, *measuring)
    log.info("stopped")


def require_known(wanted: Collection[str], event_types: Collection[str]) -> None:
    """Makes sure that a misspelled type is not a bus that stays empty.

    Raises:
        StartError: if there is no such type. Another name of one is none: on the bus each
            event has its own.
    """
    unknown = sorted({*wanted} - {"*", *event_types} | {*wanted} & ALIASES.keys())
    if unknown:
        raise StartError(f"PORTICO_RELAY_TYPES: no event is called {', '.join(unknown)}")


def wanted(settings: RelaySettings) -> Wanted:
    """Which events are relayed."""
    return Wanted(settings.relay_organizations or None, settings.relay_types)


def buses(settings: RelaySettings) -> list[Bus]:
    """Where events are relayed to. Each client is loaded only where it is used."""
    found: list[Bus] = []
    if settings.relay_kafka_servers:
        from server.features.relay.kafka import KafkaBus

        found.append(
            KafkaBus(
                settings.relay_kafka_servers,
                settings.relay_kafka_topic,
                settings.public_url,
                kafka_security(settings),
                settings.relay_kafka_max_bytes,
            )
        )
    if settings.relay_redis_url is not None:
        from server.features.relay.redis_streams import RedisBus

        found.append(
            RedisBus(
                settings.relay_redis_url,
                settings.relay_redis_stream,
                settings.public_url,
                settings.relay_redis_maxlen,
            )
        )
    for bus in found:
        metrics.show(bus.name)
    return found


def kafka_security(settings: RelaySettings) -> KafkaSecurity:
    """How the brokers are spoken to.

    Raises:
        StartError: if a file of certificates cannot be read.
    """
    from server.features.relay.kafka import KafkaSecurity

    tls = None
    if settings.relay_kafka_tls:
        try:
            tls = ssl.create_default_context(cafile=settings.relay_kafka_ca_file)
            if settings.relay_kafka_certificate_file is not None:
                tls.load_cert_chain(
                    settings.relay_kafka_certificate_file, settings.relay_kafka_key_file
                )
        except OSError as error:
            raise StartError(f"a certificate for Kafka cannot be read: {error}") from None
    return KafkaSecurity(
        tls=tls,
        user=settings.relay_kafka_user,
        password=settings.relay_kafka_password.get_secret_value(),
        mechanism=settings.relay_kafka_mechanism,
    )
