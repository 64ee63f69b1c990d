"""Steps of the tour that are about people and what they belong to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any

from cli.demo.console import Console
from cli.demo.inbox import Inbox
from cli.demo.memory import Known, Memory
from cli.demo.rest import Rest, bearer

ALICE, BOB = "Alice Example", "Bob Example"


@dataclass(frozen=True)
class Stage:
    """What every step has at hand."""

    rest: Rest
    inbox: Inbox
    console: Console
    memory: Memory


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
    """Signs in as somebody whom an earlier tour registered, or else registers, and proves it."""
    if (known := stage.memory.person(name)) and (person := await come_back(stage, name, known)):
        return person
    run = secrets.token_hex(4)
    email = f"{name.split()[0].lower()}.{run}@example.com"
    password = f"correct horse {run} staple"
    await register(stage, name, email, password)
    await verify(stage, email)
    answer = await sign_in(stage, email, password)
    stage.memory.keep_person(name, Known(email, password, answer["refreshToken"]))
    return Person(email, answer["user"], answer["accessToken"])


async def come_back(stage: Stage, name: str, known: Known) -> Person | None:
    """Goes on with the session of the last tour; signs in if it has ended.

    Returns:
        The person; None if the platform does not know them.
    """
    stage.console.step(f"{name} comes back: an earlier tour registered {known.email}")
    body = {"refreshToken": known.refresh_token}
    answer = await stage.rest.attempt("POST", "/api/v1/auth/refresh", body)
    if answer.status != 200:
        body = {"email": known.email, "password": known.password}
        answer = await stage.rest.attempt("POST", "/api/v1/auth/login", body, patient=True)
    if answer.status != 200:
        stage.console.note("The platform does not know that account; the tour makes a new one.")
        stage.memory.forget()
        return None
    refresh_token, access_token = answer.data["refreshToken"], answer.data["accessToken"]
    stage.memory.keep_person(name, Known(known.email, known.password, refresh_token))
    me = await stage.rest.call(
        "GET", "/api/v1/users/me", expect=200, credential=bearer(access_token)
    )
    return Person(known.email, me.data, access_token)


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


async def sign_in(stage: Stage, email: str, password: str) -> dict[str, Any]:
    """Gets an access token and a refresh token."""
    stage.console.step("Signing in")
    body = {"email": email, "password": password}
    answer = await stage.rest.call("POST", "/api/v1/auth/login", body, expect=200)
    stage.console.check(answer.data["tokenType"] == "Bearer", "the token is a bearer token")
    return dict(answer.data)


async def look_in_the_mirror(stage: Stage, person: Person) -> None:
    """Asks who one is."""
    stage.console.step("Who am I?")
    answer = await stage.rest.call(
        "GET", "/api/v1/users/me", expect=200, credential=person.credential
    )
    stage.console.check(answer.data["id"] == person.user["id"], "it is the account just made")


async def found_organization(stage: Stage, owner: Person) -> str:
    """Creates an organization, unless an earlier tour did, and gives its id."""
    if organization := stage.memory.organization:
        path = f"/api/v1/organizations/{organization}"
        stage.console.step("The organization of the earlier tour")
        answer = await stage.rest.attempt("GET", path, credential=owner.credential, patient=True)
        if answer.status == 200:
            return organization
    stage.console.step("Creating an organization")
    body = {"name": "Example Works", "slug": f"example-{secrets.token_hex(4)}"}
    answer = await stage.rest.call(
        "POST", "/api/v1/organizations", body, expect=201, credential=owner.credential
    )
    stage.console.check(answer.data["role"] == "owner", "its creator owns it")
    stage.memory.keep_organization(answer.data["id"])
    return str(answer.data["id"])


async def switch(stage: Stage, person: Person, organization: str) -> Person:
    """Makes the organization the active one; the new token says so."""
    stage.console.step("Working in that organization from now on")
    body = {"organizationId": organization}
    path = "/api/v1/auth/switch-organization"
    answer = await stage.rest.call("POST", path, body, expect=200, credential=person.credential)
    # Its new refresh token takes the place of the one that is remembered.
    known = stage.memory.person(ALICE)
    if known and answer.data.get("refreshToken"):
        stage.memory.keep_person(ALICE, replace(known, refresh_token=answer.data["refreshToken"]))
    return Person(person.email, person.user, answer.data["accessToken"])


async def invite(stage: Stage, owner: Person, organization: str, guest: Person) -> None:
    """Invites somebody, who accepts with the token from the mail."""
    path = f"/api/v1/organizations/{organization}"
    if guest.user["id"] in await members(stage, owner, organization):
        stage.console.note("The second person is a member since the earlier tour.")
        return
    stage.console.step("Inviting a second person")
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
    stage.console.check(
        {owner.user["id"], guest.user["id"]} == await members(stage, owner, organization),
        "both are listed",
    )


async def members(stage: Stage, owner: Person, organization: str) -> set[str]:
    """The ids of the people in an organization."""
    path = f"/api/v1/organizations/{organization}/members"
    answer = await stage.rest.call("GET", path, expect=200, credential=owner.credential)
    return {member["userId"] for member in answer.data}
