"""Registration: the form, the mail, the button behind its link, and back to where it began."""

from __future__ import annotations

import pytest

from tests.core.world import PASSWORD, Person, World, new_email
from tests.web.browser import Browser, PageAnswer


async def register(browser: Browser, email: str, **typed: str) -> PageAnswer:
    """Fills in the form and sends it."""
    page = await browser.get("/register?return_to=/account?from=mail")
    values = {"display_name": " Ada ", "password": PASSWORD, "accepted_terms": "yes", **typed}
    return await browser.submit(page, "/register", email=f" {email} ", **values)


async def test_somebody_registers_follows_the_mail_and_signs_in_where_they_began(
    browser: Browser, world: World
) -> None:
    email = new_email()
    answer = await register(browser, email)
    assert answer.location == "/verify-email"
    assert (await browser.follow(answer)).heading == "Check your mail"
    token = (await world.mail(email, "verify_email"))["token"]
    link = f"/verify-email?token={token}"
    for _ in range(3):  # scanners of mails open links
        page = await browser.get(link)
        assert page.status == 200
    done = await browser.submit(page, "/verify-email")
    page = await browser.follow(done)
    assert page.notice == "Your email address is verified. You can sign in now."
    signed_in = await browser.submit(page, "/sign-in", email=email, password=PASSWORD)
    assert signed_in.location == "/account?from=mail"
    assert "Ada" in (await browser.follow(signed_in)).text


async def test_a_link_that_is_no_longer_good_says_so(browser: Browser) -> None:
    page = await browser.get("/verify-email?token=made-up")
    answer = await browser.submit(page, "/verify-email")
    assert answer.status == 422
    assert answer.alert.startswith("This link is no longer good")


async def test_an_address_that_is_taken_is_said_as_the_api_says_it(
    browser: Browser, person: Person
) -> None:
    answer = await register(browser, person.email)
    assert answer.status == 409
    assert answer.alert.startswith("This email address already has an account")
    assert answer.form("/register").fields["email"].strip() == person.email


@pytest.mark.parametrize(
    ("field", "typed", "text"),
    [
        ("password", "short", "The password needs at least 12 characters."),
        ("password", "passwordpassword", "This password is easily guessed."),
        ("email", "nobody", "Please enter an email address"),
        ("display_name", "   ", "Please fill this in."),
        ("display_name", "Ada\u202e", "This has signs that cannot be used here."),
        ("accepted_terms", "", "Please fill this in."),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    browser: Browser, field: str, typed: str, text: str
) -> None:
    page = await browser.get("/register")
    good = {
        "display_name": "Ada",
        "email": new_email(),
        "password": PASSWORD,
        "accepted_terms": "yes",
    }
    answer = await browser.submit(page, "/register", **{**good, field: typed})
    assert answer.status == 422
    assert text in answer.words("error")
    assert answer.reader.attributes[f"#{field}"]["aria-invalid"] == "true"
    assert f"#{field}" in answer.reader.links


async def test_a_browser_in_german_is_answered_in_german(browser: Browser) -> None:
    page = await browser.get("/register", **{"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})
    assert page.reader.attributes["html"]["lang"] == "de"
    assert page.heading == "Konto anlegen"
    assert (await browser.get("/register?ui_locales=de")).heading == "Konto anlegen"
