"""RFC 8628 on the wire and on the page at /device."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest

from tests.core.world import Person, World
from tests.web.browser import Browser, PageAnswer
from tests.web.conftest import NewBrowser, sign_in
from tests.web.oauth_client import FORM, OAuthClient, new_client, settled

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
ENDPOINT, PAGE = "/oauth/device_authorization", "/device"


@pytest.fixture
async def device(world: World, person: Person) -> OAuthClient:
    """A device's application in the person's organization."""
    organization_id = await world.new_organization(person)
    return await new_device(world, person, organization_id)


async def new_device(world: World, person: Person, organization_id: str) -> OAuthClient:
    request = {"kind": "device", "redirect_uris": [], "name": "Analytical Engine"}
    return await new_client(world, person, organization_id, **request)


async def begin(device: OAuthClient, program: Browser, **fields: str) -> dict[str, str]:
    """The codes of a device."""
    form = {"client_id": device.client_id, "scope": "openid projects:read", **fields}
    status, codes = await device.call(program, ENDPOINT, form, {})
    assert status == 200, codes
    return dict(codes)


async def poll(
    device: OAuthClient, program: Browser, codes: dict[str, str]
) -> tuple[int, dict[str, str]]:
    """Asks for the tokens: the status, and what the answer has."""
    form = {
        "grant_type": GRANT_TYPE,
        "device_code": codes["device_code"],
        "client_id": device.client_id,
    }
    return await device.call(program, "/oauth/token", form, {})


async def typed(browser: Browser, user_code: str) -> PageAnswer:
    """The page that a person gets who types a code."""
    return await browser.submit(await browser.get(PAGE), PAGE, user_code=user_code)


async def test_a_device_is_let_in_by_a_person_elsewhere(
    browser: Browser, new_browser: NewBrowser, person: Person, device: OAuthClient
) -> None:
    program = new_browser()
    codes = await begin(device, program)
    assert set(codes) == {
        "device_code",
        "user_code",
        "verification_uri",
        "verification_uri_complete",
        "expires_in",
        "interval",
    }
    assert (await poll(device, program, codes))[1]["error"] == "authorization_pending"
    # Somebody follows the address, signs in, and is back with the code.
    page = await settled(browser, await browser.get(f"{PAGE}?user_code={codes['user_code']}"))
    assert page.heading == "Sign in"
    answer = await browser.submit(page, "/sign-in", email=person.email, password=person.password)
    page = await settled(browser, answer)
    assert page.heading == "Connect a device"
    page = await browser.submit(page, PAGE)
    assert page.heading == "Analytical Engine asks for access on a device"
    for text in (
        codes["user_code"],
        "Know that it is you.",
        "See the organization&#39;s projects.",
        person.email,
        "do not allow it",
    ):
        assert text in page.text, text
    page = await browser.submit(page, PAGE, decision="approve", confirmed="yes")
    assert (page.status, page.heading) == (200, "The device is connected")
    status, tokens = await poll(device, program, codes)
    assert (status, tokens["token_type"]) == (200, "Bearer")
    assert set(tokens["scope"].split()) == {"openid", "projects:read"}
    assert (await poll(device, program, codes))[1]["error"] == "invalid_grant"
    page = await browser.get("/account/applications")
    assert "Analytical Engine" in page.text


async def test_nobody_allows_a_device_without_saying_that_it_is_theirs(
    browser: Browser, new_browser: NewBrowser, person: Person, device: OAuthClient
) -> None:
    """Also who has allowed the application before."""
    await sign_in(browser, person)
    for _ in range(2):
        codes = await begin(device, new_browser())
        page = await typed(browser, codes["user_code"])
        page = await browser.submit(page, PAGE, decision="approve")
        assert page.status == 422
        assert page.heading == "Analytical Engine asks for access on a device"
        assert (await poll(device, browser, codes))[1]["error"] == "authorization_pending"
        page = await browser.submit(page, PAGE, decision="approve", confirmed="yes")
        assert page.heading == "The device is connected"


async def test_a_person_refuses(
    browser: Browser, new_browser: NewBrowser, person: Person, device: OAuthClient
) -> None:
    await sign_in(browser, person)
    program = new_browser()
    codes = await begin(device, program)
    asked = await typed(browser, codes["user_code"].replace("-", " ").lower())
    page = await browser.submit(asked, PAGE, decision="deny")
    assert (page.status, page.heading) == (200, "The device gets no access")
    status, refused = await poll(device, program, codes)
    assert (status, refused["error"]) == (400, "access_denied")
    # Back, and the other button.
    page = await browser.submit(asked, PAGE, decision="approve", confirmed="yes")
    assert (page.status, page.heading) == (404, "Connect a device")
    assert (await poll(device, program, codes))[1]["error"] == "access_denied"


async def test_each_answer_to_a_poll_has_its_name(
    world: World, browser: Browser, device: OAuthClient
) -> None:
    codes = await begin(device, browser)
    polls = [await poll(device, browser, codes) for _ in range(2)]
    with world.clock.later(timedelta(minutes=11)):
        polls.append(await poll(device, browser, codes))
    assert [(status, said["error"]) for status, said in polls] == [
        (400, "authorization_pending"),
        (400, "slow_down"),
        (400, "expired_token"),
    ]


async def test_a_link_looks_up_nothing(
    browser: Browser, new_browser: NewBrowser, person: Person, device: OAuthClient
) -> None:
    """Who sends people links uses up none of their attempts, and shows them nobody's device."""
    await sign_in(browser, person)
    codes = await begin(device, new_browser())
    for code in (codes["user_code"], *["BCDF-GHJK"] * 11, '"><script>', "b" * 2000):
        page = await browser.get(f"{PAGE}?{urlencode({'user_code': code})}")
        assert (page.status, page.heading) == (200, "Connect a device")
        assert "Analytical Engine" not in page.text
        assert "<script" not in page.text
    assert (await typed(browser, codes["user_code"])).status == 200


async def test_a_wrong_code_is_said_to_be_wrong(browser: Browser, person: Person) -> None:
    await sign_in(browser, person)
    for code in ("BCDF-GHJK", "hello", "12345678"):
        page = await typed(browser, code)
        assert (page.status, page.heading) == (404, "Connect a device")
        assert "No device waits for this code." in page.text
    assert (await typed(browser, " ")).status == 422


async def test_the_page_speaks_german(
    new_browser: NewBrowser, person: Person, device: OAuthClient
) -> None:
    german = new_browser(**{"Accept-Language": "de"})
    await sign_in(german, person)
    codes = await begin(device, new_browser())
    page = await typed(german, codes["user_code"])
    assert page.heading == "Analytical Engine bittet auf einem Gerät um Zugriff"
    page = await german.submit(page, PAGE, decision="deny")
    assert page.heading == "Das Gerät bekommt keinen Zugriff"


# The endpoint (RFC 8628, section 3.1)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("client_id={id}&scope=openid&scope=email", "invalid_request"),
        ("client_id={id}&client_id={id}", "invalid_request"),
        ("client_id={id}&scope=keys:write", "invalid_scope"),
        ("client_id={id}&resource=https://elsewhere.example", "invalid_target"),
        ("client_id=unknown", "invalid_client"),
        ("scope=openid", "invalid_client"),
        ("", "invalid_client"),
    ],
)
async def test_what_is_not_right_has_its_name(
    browser: Browser, device: OAuthClient, body: str, error: str
) -> None:
    sent = body.format(id=device.client_id).encode()
    answer = await browser.send("POST", ENDPOINT, sent, {"Content-Type": FORM})
    assert answer.status == (401 if error == "invalid_client" else 400)
    assert f'"error":"{error}"' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


async def test_an_empty_parameter_is_absent_and_an_unknown_one_ignored(
    browser: Browser, device: OAuthClient
) -> None:
    codes = await begin(device, browser, scope="", resource="", nonsense="x")
    assert codes["user_code"]
