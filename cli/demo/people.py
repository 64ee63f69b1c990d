"""Steps of the tour that are about people and what they belong to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from cli.demo.console import Console
from cli.demo.inbox import Inbox
from cli.demo.rest import Rest, bearer


@dataclass(frozen=True)
class Stage:
    """What every step has at hand."""

    rest: Rest
    inbox: Inbox
    console: Console


@dataclass(frozen=True)
class Person:
    """Somebody who signed in.

    Args:
        email: the address.
        user: the account, as the API shows it.
        token: the access token.
    """

    email: str
    user: dict[str, Any]
    token: str

    @property
    def credential(self) -> dict[str, str]:
        """The header that says who is calling."""
        return bearer(self.token)


async def join(stage: Stage, name: str) -> Person:
    """Registers somebody, proves the address and signs in."""
    run = secrets.token_hex(4)
    email = f"{name.split()[0].lower()}.{run}@example.com"
    password = f"correct horse {run} staple"
    await register(stage, name, email, password)
    await verify(stage, email)
    return await sign_in(stage, email, password)


async def register(stage: Stage, name: str, email: str, password: str) -> None:
    """Makes an account."""
    stage.console.step(f"{name} registers")
    body = {"email": email, "password": password, "displayName": name, "acceptedTerms": True}
    answer = await stage.rest.call("POST", "/api/v1/auth/register", body, expect=201)
    stage.console.check(answer.data["email"] == email, "the account has the address")
    stage.console.check(not answer.data["emailVerified"], "the address is not proved yet")


async def verify(stage: Stage, email: str) -> None:
    """Proves the address with the token from the mail."""
    stage.console.step("The mail brings a link that proves the address")
    token = await stage.inbox.token_for(email, "verif")
    body = {"token": token}
    answer = await stage.rest.call("POST", "/api/v1/auth/verify-email", body, expect=200)
    stage.console.check(answer.data["emailVerified"], "the address is proved")


async def sign_in(stage: Stage, email: str, password: str) -> Person:
    """Gets an access token."""
    stage.console.step("Signing in")
    body = {"email": email, "password": password}
    answer = await stage.rest.call("POST", "/api/v1/auth/login", body, expect=200)
    stage.console.check(answer.data["tokenType"] == "Bearer", "the token is a bearer token")
    return Person(email, answer.data["user"], answer.data["accessToken"])


async def look_in_the_mirror(stage: Stage, person: Person) -> None:
    """Asks who one is."""
    stage.console.step("Who am I?")
    answer = await stage.rest.call(
        "GET", "/api/v1/users/me", expect=200, credential=person.credential
    )
    stage.console.check(answer.data["id"] == person.user["id"], "it is the account just made")


async def found_organization(stage: Stage, owner: Person) -> str:
    """Creates an organization and gives its id."""
    stage.console.step("Creating an organization")
    body = {"name": "Example Works", "slug": f"example-{secrets.token_hex(4)}"}
    answer = await stage.rest.call(
        "POST", "/api/v1/organizations", body, expect=201, credential=owner.credential
    )
    stage.console.check(answer.data["role"] == "owner", "its creator owns it")
    return str(answer.data["id"])


async def switch(stage: Stage, person: Person, organization: str) -> Person:
    """Makes the organization the active one; the new token says so."""
    stage.console.step("Working in that organization from now on")
    body = {"organizationId": organization}
    path = "/api/v1/auth/switch-organization"
    answer = await stage.rest.call("POST", path, body, expect=200, credential=person.credential)
    return Person(person.email, person.user, answer.data["accessToken"])


async def invite(stage: Stage, owner: Person, organization: str, guest: Person) -> None:
    """Invites somebody, who accepts with the token from the mail."""
    stage.console.step("Inviting a second person")
    path = f"/api/v1/organizations/{organization}"
    body = {"email": guest.email, "role": "member"}
    await stage.rest.call(
        "POST", f"{path}/invitations", body, expect=201, credential=owner.credential
    )
    token = await stage.inbox.token_for(guest.email, "invit")
    stage.console.step("The second person accepts")
    accepted = await stage.rest.call(
        "POST",
        "/api/v1/invitations/accept",
        {"token": token},
        expect=200,
        credential=guest.credential,
    )
    stage.console.check(accepted.data["role"] == "member", "and is a member now")
    members = await stage.rest.call(
        "GET", f"{path}/members", expect=200, credential=owner.credential
    )
    ids = {member["userId"] for member in members.data}
    stage.console.check(ids == {owner.user["id"], guest.user["id"]}, "both are listed")
