"""A real Kafka on this machine, one broker that is its own controller (KRaft)."""

from __future__ import annotations

import asyncio
import os
import ssl
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cli.run.probes import tcp_answers
from cli.run.process import Child, Command, spawn
from cli.run.watchdog import Watchdog
from portico_kit.testing.ports import free_ports
from portico_kit.testing.waiting import eventually
from tests.java import classpath

PACKAGE = Path(__file__).parent
USER, PASSWORD = "relay", "what only the relay knows"
PARTITIONS = 3
# A small heap, and no time spent on code that runs for a minute.
JAVA = ("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secure}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.ssl.keystore.type=PEM
listener.name.sasl_ssl.ssl.keystore.location={folder}/broker.pem
log.dirs={folder}/logs
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=2
"""


@dataclass(frozen=True)
class Message:
    """A message as its consumer sees it."""

    partition: int
    key: str
    headers: dict[str, str]
    value: str

    @property
    def id(self) -> str:
        return self.headers["ce_id"]

    @property
    def sequence(self) -> int:
        return int(self.headers["ce_sequence"])


class Kafka:
    """A broker, which a test can kill and start again."""

    def __init__(self, folder: Path, watchdog: Watchdog) -> None:
        self._folder = folder
        self._watchdog = watchdog
        self._child: Child | None = None
        self.plain, self.secure, self._controller = free_ports(3)

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.plain}"

    @property
    def secure_servers(self) -> str:
        return f"127.0.0.1:{self.secure}"

    @property
    def certificate(self) -> Path:
        """What clients trust."""
        return self._folder / "ca.pem"

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    async def prepare(self) -> None:
        """Makes its folder, with a user who signs in."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_certificate(self._folder / "broker.pem", self.certificate)
        ports = {"plain": self.plain, "secure": self.secure, "controller": self._controller}
        self._properties.write_text(PROPERTIES.format(folder=self._folder, **ports))
        scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        tool = ("kafka.tools.StorageTool", "format", "-t", str(uuid.uuid4()))
        child = await self._spawn(*tool, "-c", str(self._properties), "--add-scram", scram)
        assert await child.wait() == 0, child.command.log.read_text()

    async def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._child = await self._spawn("kafka.Kafka", str(self._properties))
        await eventually(lambda: tcp_answers("127.0.0.1", self.plain), 60)

    async def kill(self) -> None:
        """Ends it with SIGKILL."""
        if self._child is not None:
            await self._child.kill()

    async def topic(self, **settings: str) -> str:
        """A new topic."""
        name = f"events-{uuid.uuid4()}"
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            new = NewTopic(name, PARTITIONS, 1, topic_configs=settings)
            await admin.create_topics([new])
        finally:
            await admin.close()
        return name

    async def messages(self, topic: str, count: int, within: float = 30.0) -> list[Message]:
        """What is in a topic, once there are so many different events: repeats included."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, auto_offset_reset="earliest")
        await consumer.start()
        found: list[Message] = []
        try:
            consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
            async with asyncio.timeout(within):
                while len({each.id for each in found}) < count:
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        found.extend(map(_message, records))
            for records in (await consumer.getmany(timeout_ms=300)).values():
                found.extend(map(_message, records))
        finally:
            await consumer.stop()
        return found

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    async def _spawn(self, *arguments: str) -> Child:
        jars = await asyncio.to_thread(classpath, PACKAGE)
        command = Command(
            name="Kafka",
            arguments=(*JAVA, "-cp", jars, *arguments),
            log=self._folder / "kafka.log",
            environment=dict(os.environ),
        )
        return await spawn(command, self._watchdog, fresh_log=False)


def by_organization(messages: Sequence[Message]) -> dict[str, list[int]]:
    """The numbers of the events of each organization, each as it came for the first time."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for message in messages:
        if message.sequence not in found[message.key]:
            found[message.key].append(message.sequence)
    return dict(found)


def _message(record: Any) -> Message:
    return Message(
        partition=record.partition,
        key=record.key.decode(),
        headers={name: value.decode() for name, value in record.headers},
        value=record.value.decode(),
    )


def write_certificate(broker: Path, trusted: Path) -> None:
    """A certificate for this machine with its key, and what its clients trust."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a broker")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted.write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    broker.write_bytes(private + certificate.public_bytes(Encoding.PEM))
