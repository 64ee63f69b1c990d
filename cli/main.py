"""`portico`: one command for each process and each chore.

A room is imported by the command that needs it, so that every process loads
only its own.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

app = typer.Typer(
    name="portico",
    help="Accounts, organizations, API keys, rate limits and webhooks behind one contract.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def show_version(wanted: bool) -> None:
    """Prints the version and ends."""
    if wanted:
        from importlib.metadata import version

        print(f"portico {version('portico')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Accounts, organizations, API keys, rate limits and webhooks behind one contract."""


@app.command()
def run() -> None:
    """Start the whole platform, with PostgreSQL and Valkey of its own if none are set."""
    from cli.run.main import main as start

    sys.exit(start())


@app.command()
def demo() -> None:
    """Play the tour against the running platform and say whether each answer was right."""
    from cli.demo.main import main as play

    sys.exit(play())


@app.command()
def core() -> None:
    """Run the gRPC core."""
    from server.main import main as serve

    serve()


@app.command()
def authorize() -> None:
    """Run the service that authenticates API keys for Envoy."""
    from edge.authorize.main import main as serve

    serve()


@app.command()
def ratelimit() -> None:
    """Run the rate limit service for Envoy."""
    from edge.ratelimit.main import main as serve

    serve()


@app.command()
def web() -> None:
    """Run the pages: sign-in, registration and the account."""
    from edge.web.main import main as serve

    serve()


@app.command()
def stream() -> None:
    """Run the process that writes streams of events: server-sent events and WebSocket."""
    from edge.stream.main import main as serve

    serve()


@app.command()
def gateway() -> None:
    """Render the Envoy configuration and run Envoy; stops without dropping requests."""
    from edge.gateway.main import main as serve

    serve()


@app.command()
def worker() -> None:
    """Run the Celery worker that sends webhooks and mails."""
    from workers.main import worker as work

    work()


@app.command()
def beat() -> None:
    """Run the Celery clock that starts sweeps and housekeeping."""
    from workers.main import beat as tick

    tick()


relay = typer.Typer(
    help="Run the relay that carries events to Kafka or Redis Streams.", invoke_without_command=True
)
app.add_typer(relay, name="relay")


@relay.callback()
def run_relay(context: typer.Context) -> None:
    """Run the relay that carries events to Kafka or Redis Streams."""
    if context.invoked_subcommand is None:
        from server.app import EVENTS
        from server.features.relay.process import main as serve

        serve(EVENTS)


@relay.command("status")
def relay_status() -> None:
    """Say what each bus has, and how many events wait for it."""
    from cli.relay_status import main as ask
    from cli.run.errors import RunError

    try:
        sys.exit(ask())
    except RunError as error:
        sys.exit(f"portico relay status: {error}")


@app.command()
def mailbox() -> None:
    """Run the development mailbox: it takes every mail and shows it on a page."""
    from cli.mailbox.main import main as serve

    sys.exit(serve())


@app.command()
def health(part: str) -> None:
    """Say whether a running part serves: core, authorize, ratelimit, web, stream or gateway."""
    from cli.health import main as ask

    sys.exit(ask(part))


@app.command()
def migrate() -> None:
    """Bring the database to the newest revision."""
    from cli.migrate import main as upgrade
    from cli.run.errors import RunError

    try:
        upgrade()
    except RunError as error:
        sys.exit(f"portico migrate: {error}")


@app.command()
def administrator(email: str) -> None:
    """Make the person with this address an administrator of the platform."""
    from cli.administrator import main as appoint
    from cli.run.errors import RunError

    try:
        appoint(email)
    except RunError as error:
        sys.exit(f"portico administrator: {error}")


@app.command()
def generate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail if something would change.")
    ] = False,
) -> None:
    """Write everything that is made from proto/."""
    from cli.generate import GenerationError
    from cli.generate import generate as write

    if check:
        from cli.drift import main as compare

        sys.exit(compare())
    try:
        write()
    except GenerationError as error:
        sys.exit(f"portico generate: {error}")


def main() -> None:
    """Entry point of the `portico` command."""
    leave_out_rich()
    app()


def leave_out_rich() -> None:
    """Makes structlog believe that rich is not installed.

    It would load it for a console renderer that we do not use: 5 MB and a
    tenth of a second, in every process.
    """
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
