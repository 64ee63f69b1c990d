"""The rule of refresh tokens against honest clients, a bad network and a thief.

PORTICO_REFRESH_RUNS=10000 makes so many random runs in place of a few and prints what came of
them: `pytest -s tests/core/auth/test_refresh_model.py`.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

import pytest
from grpc import aio
from hypothesis import given, settings
from hypothesis import strategies as st
from portico.auth.v1 import auth_service_pb2 as pb

from server.common.refresh_chain import is_reused
from tests.core.world import Person, World

RUNS = int(os.environ.get("PORTICO_REFRESH_RUNS", "500"))


class ReusedError(Exception):
    """The session has ended, for a token was used after its successor."""


@dataclass
class Server:
    """A session, by the rule alone."""

    newest: int = 1
    ended: bool = False

    def refresh(self, number: int) -> int:
        """The successor of a token."""
        if self.ended:
            raise ReusedError
        if is_reused(number, self.newest):
            self.ended = True
            raise ReusedError
        self.newest = max(self.newest, number + 1)
        return number + 1


@dataclass
class Browser:
    """An honest client: tabs with one storage, whose answers come late, twice, or never.

    Attributes:
        on_the_way: the answers that have not arrived, each with the token that was sent for it.
    """

    stored: int = 1
    on_the_way: list[tuple[int, int]] = field(default_factory=list)

    def ask(self, server: Server) -> None:
        """A tab sends what is stored."""
        self.on_the_way.append((self.stored, server.refresh(self.stored)))

    def receive(self, which: int) -> None:
        """An answer arrives, in whatever order; it is stored if it answers what is stored."""
        if self.on_the_way:
            sent, answer = self.on_the_way.pop(which % len(self.on_the_way))
            if sent == self.stored:
                self.stored = answer

    def receive_twice(self, which: int) -> None:
        """An answer arrives, and will once more."""
        if self.on_the_way:
            self.on_the_way.append(self.on_the_way[which % len(self.on_the_way)])
            self.receive(which)

    def lose(self, which: int) -> None:
        """An answer never arrives."""
        if self.on_the_way:
            self.on_the_way.pop(which % len(self.on_the_way))


ACTIONS = ("ask", "ask", "ask", "receive", "receive", "receive_twice", "lose")
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 19)), max_size=80)


def act(browser: Browser, server: Server, action: str, which: int) -> None:
    """One step of an honest client."""
    if action == "ask":
        browser.ask(server)
    else:
        getattr(browser, action)(which)


@settings(max_examples=RUNS, deadline=None)
@given(STEPS)
def test_no_loss_of_answers_signs_an_honest_client_out(steps: list[tuple[str, int]]) -> None:
    server, browser = Server(), Browser()
    for action, which in steps:
        act(browser, server, action, which)
    assert server.refresh(browser.stored) == browser.stored + 1


@settings(max_examples=RUNS, deadline=None)
@given(STEPS, STEPS, st.integers(0, 3))
def test_a_thief_is_found_at_the_first_use_of_a_token_after_its_successor(
    before: list[tuple[str, int]], after: list[tuple[str, int]], ahead: int
) -> None:
    server, browser = Server(), Browser()
    for action, which in before:
        act(browser, server, action, which)
    stolen = browser.stored
    try:
        for _ in range(ahead):
            stolen = server.refresh(stolen)
        for action, which in after:
            act(browser, server, action, which)
    except ReusedError:
        assert server.ended
        return
    # Nobody has used a token after its successor. Whoever does now is found.
    for held in (stolen, browser.stored):
        if not server.ended and server.newest > held + 1:
            with pytest.raises(ReusedError):
                server.refresh(held)


@dataclass
class Tally:
    """What came of random runs."""

    false_sign_outs: int = 0
    thefts: int = 0
    caught: int = 0


def honest_run(rng: random.Random, tally: Tally) -> None:
    """A client alone: whatever the network does, it stays signed in."""
    server, browser = Server(), Browser()
    try:
        for _ in range(rng.randint(1, 80)):
            act(browser, server, rng.choice(ACTIONS), rng.randrange(20))
        server.refresh(browser.stored)
    except ReusedError:
        tally.false_sign_outs += 1


def stolen_run(rng: random.Random, tally: Tally) -> None:
    """A token is copied at any moment, and both go on; each may use theirs until it is found."""
    server, browser = Server(), Browser()
    for _ in range(rng.randint(0, 30)):
        act(browser, server, rng.choice(ACTIONS), rng.randrange(20))
    stolen = browser.stored
    # Whether what is used now comes after its successor.
    overtaken = False
    try:
        for _ in range(rng.randint(2, 60)):
            if rng.random() < 0.5:
                overtaken = is_reused(stolen, server.newest)
                stolen = server.refresh(stolen)
            else:
                action = rng.choice(ACTIONS)
                overtaken = action == "ask" and is_reused(browser.stored, server.newest)
                act(browser, server, action, rng.randrange(20))
    except ReusedError:
        assert overtaken
    tally.thefts += overtaken
    tally.caught += server.ended


def test_random_runs_find_every_theft_and_sign_nobody_out() -> None:
    rng, tally = random.Random(20261126), Tally()  # noqa: S311 - a model, no secret
    for _ in range(RUNS):
        honest_run(rng, tally)
        stolen_run(rng, tally)
    print(f"{RUNS} honest and {RUNS} stolen runs: {tally}")  # noqa: T201 - asked for
    assert tally.false_sign_outs == 0
    assert tally.caught == tally.thefts > RUNS / 10


async def test_the_core_follows_the_model(world: World, owner: Person) -> None:
    """The same steps at the rule and at the method end in the same way."""
    rng, server = random.Random(1), Server()  # noqa: S311 - a model, no secret
    tokens = {1: owner.refresh_token}
    for _ in range(40):
        number = max(1, max(tokens) - rng.choice((0, 0, 0, 0, 1, 1)))
        answer = await world.auth.RefreshToken(pb.RefreshTokenRequest(refresh_token=tokens[number]))
        successor = server.refresh(number)
        assert tokens.setdefault(successor, answer.refresh_token) == answer.refresh_token
    with pytest.raises(ReusedError):
        server.refresh(1)
    with pytest.raises(aio.AioRpcError, match="somebody else"):
        await world.auth.RefreshToken(pb.RefreshTokenRequest(refresh_token=tokens[1]))
