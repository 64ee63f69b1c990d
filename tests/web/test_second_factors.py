"""Second factors on the pages: asked for at sign-in, enrolled, and shown once more for a change."""

from __future__ import annotations

import base64
import re
from datetime import timedelta

import pytest

from edge.web import cookies
from server.features.factors.totp import Totp
from tests.core.factors.conftest import App, Protected, enroll_app
from tests.core.world import Person, World
from tests.web.browser import Browser, PageAnswer
from tests.web.conftest import APP, NewBrowser, sign_in

VERIFY = "/sign-in/verify"
STEP_UP = "/step-up"
APP_PAGE = "/account/security/app"
SECURITY = "/account/security"
CODES_PAGE = "/account/security/recovery-codes"
ENROLL, SIGN_IN_CODE = "enrollment_code", "challenge_code"
CODE = re.compile(r"<li><code>([^<]+)</code></li>")


@pytest.fixture
async def protected(world: World, person: Person) -> Protected:
    """Somebody with an authenticator app."""
    return await enroll_app(world, person)


async def asked(browser: Browser, protected: Protected, path: str = "/sign-in") -> PageAnswer:
    """The page that asks for the second factor, after the password."""
    answer = await sign_in(browser, protected.person, path)
    assert answer.location.startswith(VERIFY)
    return await browser.follow(answer)


async def signed_in(browser: Browser, protected: Protected) -> None:
    """Signs in with both factors."""
    page = await asked(browser, protected)
    answer = await browser.submit(page, VERIFY, code=protected.next_code())
    assert answer.location == "/account"


async def confirmed(browser: Browser, answer: PageAnswer, **typed: str) -> PageAnswer:
    """Confirms that it is them, and gives the page to which that leads."""
    assert answer.location == STEP_UP
    page = await browser.follow(answer)
    done = await browser.submit(page, STEP_UP, **typed)
    return await browser.follow(done)


async def test_after_the_password_the_second_factor_is_asked_for(
    browser: Browser, protected: Protected
) -> None:
    page = await asked(browser, protected)
    assert page.heading == "Confirm that it is you"
    field = page.reader.attributes["#code"]
    assert (field["autocomplete"], field["inputmode"]) == ("one-time-code", "numeric")
    assert cookies.SESSION not in browser.cookies
    answer = await browser.submit(page, VERIFY, code=protected.next_code())
    assert answer.location == "/account"
    assert set(browser.cookies) == {cookies.SESSION, cookies.DEVICE}
    assert (await browser.get("/account")).status == 200


async def test_the_challenge_is_in_no_address_and_cannot_be_read(
    browser: Browser, protected: Protected
) -> None:
    answer = await sign_in(browser, protected.person)
    assert answer.location == VERIFY
    assert "totp" not in browser.cookies[cookies.CHALLENGE]
    browser.cookies[cookies.CHALLENGE] = browser.cookies[cookies.CHALLENGE][:-2] + "AA"
    assert "notice=challenge-over" in (await browser.get(VERIFY)).location


async def test_a_person_is_brought_to_where_they_wanted_after_both_factors(
    browser: Browser, protected: Protected
) -> None:
    page = await asked(browser, protected, f"/sign-in?return_to={APP}/welcome")
    wrong = await browser.submit(page, VERIFY, code=protected.app.wrong_code())
    answer = await browser.submit(wrong, VERIFY, code=protected.next_code())
    assert f"{APP}/welcome" in (await browser.follow(answer)).reader.links


async def test_a_wrong_code_is_said_and_five_end_the_sign_in(
    browser: Browser, protected: Protected
) -> None:
    page = await asked(browser, protected)
    for _ in range(5):
        page = await browser.submit(page, VERIFY, code=protected.app.wrong_code())
        assert page.status == 422
        assert "This code is wrong" in page.alert
        assert protected.app.wrong_code() not in page.text
    over = await browser.submit(page, VERIFY, code=protected.next_code())
    assert over.location == "/sign-in?notice=challenge-over"
    assert cookies.CHALLENGE not in browser.cookies
    assert cookies.SESSION not in browser.cookies


async def test_too_many_wrong_codes_are_said(browser: Browser, protected: Protected) -> None:
    page = await asked(browser, protected)
    for _ in range(5):
        page = await browser.submit(page, VERIFY, code=protected.app.wrong_code())
    page = await asked(browser, protected)
    page = await browser.submit(page, VERIFY, code=protected.app.code(1))
    assert page.status == 429
    assert page.alert == "Too many attempts at this account. Please wait a while and try again."
    assert "Retry-After" in page.headers


async def test_a_challenge_that_has_expired_leads_back_to_the_beginning(
    browser: Browser, protected: Protected, world: World
) -> None:
    page = await asked(browser, protected)
    with world.clock.later(timedelta(minutes=6)):
        answer = await browser.submit(page, VERIFY, code=protected.app.code())
        assert answer.location == "/sign-in?notice=challenge-over"
    assert "begin again" in (await browser.follow(answer)).notice


async def test_a_recovery_code_is_good_once_however_it_is_written(
    browser: Browser, new_browser: NewBrowser, protected: Protected
) -> None:
    written = f" {protected.recovery_codes[0].upper()} "
    for attempt, visitor in enumerate((browser, new_browser())):
        page = await asked(visitor, protected)
        assert f"{VERIFY}?method=recovery_code" in page.reader.links
        page = await visitor.get(f"{VERIFY}?method=recovery_code")
        answer = await visitor.submit(page, VERIFY, code=written)
        assert answer.status == (303, 422)[attempt]
    assert page.form(VERIFY).fields["method"] == "recovery_code"


async def test_a_code_may_be_typed_in_groups(browser: Browser, protected: Protected) -> None:
    page = await asked(browser, protected)
    code = protected.next_code()
    answer = await browser.submit(page, VERIFY, code=f" {code[:3]} {code[3:]}")
    assert answer.location == "/account"


async def test_nobody_gets_here_without_the_first_factor(browser: Browser) -> None:
    assert (await browser.get(VERIFY)).location == "/sign-in?notice=challenge-over"
    page = await browser.get("/sign-in")
    token = page.form("/sign-in").fields["form_token"]
    answer = await browser.post(VERIFY, {"form_token": token, "code": "123456"})
    assert answer.location == "/sign-in?notice=challenge-over"


async def test_the_challenge_is_worth_nothing_on_another_device(
    browser: Browser, new_browser: NewBrowser, protected: Protected
) -> None:
    await asked(browser, protected)
    thief = new_browser()
    await thief.get("/sign-in")
    thief.cookies[cookies.CHALLENGE] = browser.cookies[cookies.CHALLENGE]
    page = await thief.get(VERIFY)
    answer = await thief.submit(page, VERIFY, code=protected.next_code())
    assert answer.location == "/sign-in?notice=challenge-over"


async def test_what_is_sealed_for_one_purpose_is_worth_nothing_for_another(
    browser: Browser, protected: Protected
) -> None:
    await asked(browser, protected)
    browser.cookies[cookies.STEP_UP] = browser.cookies[cookies.CHALLENGE]
    await browser.get(STEP_UP)
    browser.cookies[cookies.CHALLENGE] = "=" * 300
    assert (await browser.get(VERIFY)).status == 303


async def test_an_app_is_added_by_its_code_and_the_recovery_codes_are_shown_once(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    page = await browser.get("/account/security")
    assert "no second factor yet" in page.text
    assert APP_PAGE in page.reader.links
    begin = await browser.get(APP_PAGE)
    page = await browser.submit(begin, APP_PAGE)
    assert "<svg" in page.text
    assert "style=" not in page.text  # the policy allows none
    secret = page.form(APP_PAGE).fields["secret"]
    assert " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)) in page.text
    app = App(world, Totp(base64.b32decode(secret + "=" * (-len(secret) % 8))))
    wrong = await browser.submit(page, APP_PAGE, code=app.wrong_code(), name="Phone")
    assert wrong.status == 422
    # The app has the key already: the same one is shown, and no other picture.
    assert wrong.form(APP_PAGE).fields["secret"] == secret
    assert wrong.form(APP_PAGE).fields["name"] == "Phone"
    assert "<svg" not in wrong.text
    done = await browser.submit(wrong, APP_PAGE, code=app.code())
    codes = CODE.findall(done.text)
    assert len(codes) == 10
    assert "Phone" in done.notice
    assert done.headers["Cache-Control"] == "no-store"
    page = await browser.get("/account/security")
    assert "Codes left: 10 of 10" in page.text
    assert codes[0] not in page.text
    assert "Phone" in page.text


async def test_a_code_is_not_a_secret_to_be_shown_and_a_made_up_one_is_not_either(
    browser: Browser, person: Person
) -> None:
    await sign_in(browser, person)
    page = await browser.submit(await browser.get(APP_PAGE), APP_PAGE)
    wrong = await browser.submit(page, APP_PAGE, code="<b>123</b>", secret="<b>made up</b>")
    assert wrong.status == 422
    assert "made up" not in wrong.text
    assert "<b>123" not in wrong.text


async def test_a_factor_is_renamed(browser: Browser, protected: Protected) -> None:
    await signed_in(browser, protected)
    path = "/account/security/rename"
    page = await browser.get(f"{path}?factor_id={protected.factor_id}")
    assert page.status == 200, page.text
    assert page.form(path).fields["name"] == "Phone"
    empty = await browser.submit(page, path, name=" ")
    assert empty.status == 422
    long = await browser.submit(page, path, name="x" * 51)
    assert long.alert == "Please check what you have entered. This is too long."
    await browser.submit(page, path, name="Old <phone>")
    assert "Old &lt;phone&gt;" in (await browser.get("/account/security")).text


async def test_the_last_factor_is_removed_after_a_question(
    browser: Browser, new_browser: NewBrowser, protected: Protected
) -> None:
    await signed_in(browser, protected)
    path = "/account/security/remove"
    page = await browser.get(f"{path}?factor_id={protected.factor_id}")
    assert "your last second factor" in page.text
    answer = await browser.submit(page, path)
    assert answer.location == "/account/security?notice=factor-removed"
    # Another window does the same a little later.
    assert (await browser.submit(page, path)).status == 303
    assert (await sign_in(new_browser(), protected.person)).location == "/account"


@pytest.mark.parametrize("factor_id", ["", "made-up", "0199a4c2-0000-7000-8000-000000000000"])
async def test_a_factor_that_there_is_not_leads_to_the_list(
    browser: Browser, protected: Protected, factor_id: str
) -> None:
    await signed_in(browser, protected)
    for page in ("rename", "remove"):
        answer = await browser.get(f"/account/security/{page}?factor_id={factor_id}")
        assert answer.location == "/account/security"


async def test_new_recovery_codes_replace_the_former_ones(
    browser: Browser, new_browser: NewBrowser, protected: Protected
) -> None:
    await signed_in(browser, protected)
    page = await browser.submit(await browser.get(CODES_PAGE), CODES_PAGE)
    codes = CODE.findall(page.text)
    assert len(codes) == 10
    assert not set(codes) & set(protected.recovery_codes)
    other = new_browser()
    await asked(other, protected)
    page = await other.get(f"{VERIFY}?method=recovery_code")
    page = await other.submit(page, VERIFY, code=protected.recovery_codes[0])
    assert page.status == 422
    assert (await other.submit(page, VERIFY, code=codes[0])).location == "/account"


async def test_there_are_no_recovery_codes_without_a_factor(
    browser: Browser, person: Person
) -> None:
    await sign_in(browser, person)
    assert (await browser.get(CODES_PAGE)).location == "/account/security"


async def test_a_change_asks_once_more_and_what_was_typed_is_there_again(
    browser: Browser, protected: Protected, world: World
) -> None:
    await signed_in(browser, protected)
    world.clock.advance(timedelta(minutes=20))
    page = await browser.get("/account/email")
    answer = await browser.submit(
        page, "/account/email", new_email="new@example.com", current_password="a secret of mine"
    )
    former = browser.cookies[cookies.SESSION]
    page = await confirmed(browser, answer, code=protected.app.code())
    assert page.heading == "Email address"
    assert "You can go on now" in page.notice
    form = page.form("/account/email").fields
    assert form["new_email"] == "new@example.com"
    assert "current_password" not in form or not form["current_password"]
    assert "a secret of mine" not in page.text
    # Whoever had the cookie before has nothing now.
    assert browser.cookies[cookies.SESSION] != former
    # It is filled in once, and nothing was done until the button is pressed.
    assert cookies.STEP_UP not in browser.cookies
    assert (await browser.get("/account/email")).form("/account/email").fields["new_email"] == ""
    done = await browser.submit(page, "/account/email", current_password=protected.person.password)
    assert done.location == "/account/email?notice=email-change-sent"


async def test_somebody_without_a_factor_confirms_with_the_password(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    world.clock.advance(timedelta(minutes=20))
    answer = await browser.submit(await browser.get(APP_PAGE), APP_PAGE)
    assert answer.location == STEP_UP
    page = await browser.follow(answer)
    wrong = await browser.submit(page, STEP_UP, password="something else")
    assert wrong.status == 422
    assert "This is not your password." in wrong.alert
    page = await browser.follow(await browser.submit(wrong, STEP_UP, password=person.password))
    assert page.form(APP_PAGE).fields["step"] == "begin"
    assert "<svg" in (await browser.submit(page, APP_PAGE)).text


async def test_an_app_is_added_by_somebody_who_took_long_to_install_it(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    page = await browser.submit(await browser.get(APP_PAGE), APP_PAGE)
    secret = page.form(APP_PAGE).fields["secret"]
    app = App(world, Totp(base64.b32decode(secret + "=" * (-len(secret) % 8))))
    world.clock.advance(timedelta(minutes=10))
    answer = await browser.submit(page, APP_PAGE, code=app.code(), name="Phone")
    assert secret not in str(browser.cookies)
    page = await confirmed(browser, answer, password=person.password)
    assert page.form(APP_PAGE).fields == {
        "form_token": page.form(APP_PAGE).fields["form_token"],
        "step": "confirm",
        "code": "",
        "name": "Phone",
    }
    assert len(CODE.findall((await browser.submit(page, APP_PAGE, code=app.code())).text)) == 10


async def test_an_enrollment_that_has_expired_begins_once_more(
    browser: Browser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    page = await browser.submit(await browser.get(APP_PAGE), APP_PAGE)
    world.clock.advance(timedelta(minutes=16))
    answer = await browser.submit(page, APP_PAGE, code="123456")
    page = await confirmed(browser, answer, password=person.password)
    page = await browser.submit(page, APP_PAGE, code="123456")
    assert page.alert == "This took too long. Please start over with another key."
    assert page.form(APP_PAGE).fields["step"] == "begin"


async def test_wrong_answers_to_a_step_up_end_it_and_the_session_goes_on(
    browser: Browser, protected: Protected, world: World
) -> None:
    await signed_in(browser, protected)
    world.clock.advance(timedelta(minutes=20))
    path = "/account/security/remove"
    question = await browser.get(f"{path}?factor_id={protected.factor_id}")
    page = await browser.follow(await browser.submit(question, path))
    for _ in range(5):
        page = await browser.submit(page, STEP_UP, code=protected.app.wrong_code())
        assert "This code is wrong" in page.alert
    world.clock.advance(timedelta(minutes=2))
    page = await browser.submit(page, STEP_UP, code=protected.app.code())
    assert page.alert.startswith("This took too long, or there were too many wrong codes.")
    # The next try has a challenge of its own, and leads back to the question.
    done = await browser.submit(page, STEP_UP, code=protected.app.code())
    page = await browser.follow(done)
    assert page.heading == "Remove Phone?"
    assert page.form(path).fields["factor_id"] == protected.factor_id
    assert (await browser.submit(page, path)).location.endswith("notice=factor-removed")


async def test_what_one_person_had_typed_is_not_shown_to_the_next(
    browser: Browser, protected: Protected, world: World
) -> None:
    await signed_in(browser, protected)
    world.clock.advance(timedelta(minutes=20))
    page = await browser.get("/account/email")
    answer = await browser.submit(
        page, "/account/email", new_email="mine@example.com", current_password="x"
    )
    page = await browser.follow(answer)
    await browser.submit(page, STEP_UP, code=protected.app.code())
    kept = browser.cookies[cookies.STEP_UP]
    guest = await world.new_person()
    browser.cookies.clear()
    await sign_in(browser, guest)
    browser.cookies[cookies.STEP_UP] = kept
    assert "mine@example.com" not in (await browser.get("/account/email")).text


async def test_a_step_up_on_ones_own_leads_to_the_list(
    browser: Browser, protected: Protected
) -> None:
    await signed_in(browser, protected)
    page = await browser.get(STEP_UP)
    done = await browser.submit(page, STEP_UP, code=protected.next_code())
    assert done.location == "/account/security?notice=confirmed"


async def test_what_is_too_long_to_wait_is_typed_once_more(
    browser: Browser, protected: Protected, world: World
) -> None:
    await signed_in(browser, protected)
    world.clock.advance(timedelta(minutes=20))
    page = await browser.get("/account/email")
    answer = await browser.submit(
        page, "/account/email", new_email="é" * 4000, current_password="x"
    )
    assert len(browser.cookies.get(cookies.STEP_UP, "")) <= cookies.MAX_LENGTH
    if answer.status == 303:
        page = await confirmed(browser, answer, code=protected.app.code())
        assert page.form("/account/email").fields["new_email"] == ""


async def test_nobody_confirms_anything_who_is_not_signed_in(browser: Browser) -> None:
    assert (await browser.get(STEP_UP)).location.startswith("/sign-in")


async def codes_by_mail(browser: Browser, world: World, person: Person) -> PageAnswer:
    """Adds codes by mail, as a signed-in person does it."""
    path = "/account/security/email"
    page = await browser.submit(await browser.get(path), path)
    assert "We have sent a code to" in page.text
    return await browser.submit(page, path, code=await mailed_code(world, person, ENROLL))


async def mailed_code(world: World, person: Person, mail: str) -> str:
    """The code of the newest mail of a kind."""
    return (await world.mail(person.email, mail))["code"]


async def test_a_code_is_sent_when_its_button_is_pressed(
    browser: Browser, new_browser: NewBrowser, person: Person, world: World
) -> None:
    await sign_in(browser, person)
    done = await codes_by_mail(browser, world, person)
    assert len(CODE.findall(done.text)) == 10
    # The mail box is the password's way back in, so this is asked for once signed in.
    other = new_browser()
    answer = await sign_in(other, person, f"/sign-in?return_to={APP}/welcome")
    page = await other.follow(answer)
    assert "#code" not in page.reader.attributes
    answer = await other.submit(page, VERIFY)
    assert "sent=yes" in answer.location
    page = await other.follow(answer)
    code = await mailed_code(world, person, SIGN_IN_CODE)
    forms = [form for form in page.reader.forms if "send" not in form.fields]
    wrong = await other.post(VERIFY, {**forms[-1].fields, "code": "000000"})
    assert "This code is wrong" in wrong.alert
    assert "#code" in wrong.reader.attributes
    again = [form for form in wrong.reader.forms if "send" in form.fields]
    recently = await other.post(VERIFY, again[0].fields)
    assert recently.status == 429
    forms = [form for form in recently.reader.forms if "send" not in form.fields]
    answer = await other.post(VERIFY, {**forms[-1].fields, "code": code})
    assert f"{APP}/welcome" in (await other.follow(answer)).reader.links


async def test_after_a_sign_in_with_a_password_a_passkey_is_offered(
    browser: Browser, person: Person
) -> None:
    await sign_in(browser, person)
    page = await browser.get("/account")
    assert 'data-passkey="offer" hidden' in page.text
    # What is refused is said without it.
    refused = await browser.submit(page, "/account", display_name="")
    assert "data-passkey" not in refused.text
    assert "script-src" not in refused.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "[]",
        "{",
        '{"id": NaN}',
        '{"id": ' * 3000,
        "{}",
        '{"id": "a", "response": null}',
        "1" * 40_000,
    ],
)
async def test_what_is_no_passkey_signs_nobody_in(browser: Browser, credential: str) -> None:
    page = await browser.get("/sign-in")
    fields = page.form("/sign-in/passkey").fields
    answer = await browser.post("/sign-in/passkey", {**fields, "credential": credential})
    assert answer.status in (409, 422)
    assert answer.alert
    assert cookies.SESSION not in browser.cookies


async def test_nobody_is_signed_in_with_a_passkey_by_a_form_from_elsewhere(
    browser: Browser,
) -> None:
    answer = await browser.post("/sign-in/passkey", {"credential": "{}", "challenge": "x"})
    assert answer.status == 403
    assert answer.alert.startswith("This form could not be accepted")
    assert (await browser.get("/sign-in/passkey")).location == "/sign-in"


@pytest.mark.parametrize("method", ["made-up", "password", "passkey", "sms", "<b>"])
async def test_a_method_that_the_person_does_not_have_is_not_asked_for(
    browser: Browser, protected: Protected, method: str
) -> None:
    await asked(browser, protected)
    page = await browser.get(f"{VERIFY}?method={method}")
    assert page.form(VERIFY).fields["method"] == "totp"
    assert "<b>" not in page.text


async def test_a_challenge_that_ended_elsewhere_does_not_break_its_page(
    browser: Browser, protected: Protected, world: World
) -> None:
    await signed_in(browser, protected)
    world.clock.advance(timedelta(minutes=20))
    page = await browser.get("/account/email")
    answer = await browser.submit(
        page, "/account/email", new_email="new@example.com", current_password="x"
    )
    page = await browser.follow(answer)
    world.clock.advance(timedelta(minutes=6))
    late = await browser.submit(page, STEP_UP, code=protected.app.code())
    assert late.alert.startswith("This took too long")
    done = await browser.submit(late, STEP_UP, code=protected.app.code())
    assert done.location == "/account/email?notice=confirmed"


async def test_a_device_that_is_remembered_is_not_asked_for_the_second_factor(
    browser: Browser, new_browser: NewBrowser, protected: Protected
) -> None:
    page = await asked(browser, protected)
    wrong = await browser.submit(page, VERIFY, code="000000", remember_device="yes")
    assert wrong.form(VERIFY).fields["remember_device"] == "yes"
    answer = await browser.submit(wrong, VERIFY, code=protected.next_code())
    page = await browser.follow(answer)
    await browser.submit(page, "/sign-out")
    assert (await sign_in(browser, protected.person)).location == "/account"
    # It is worth no factor: what needs one asks for it.
    path = "/account/security/remove"
    question = await browser.get(f"{path}?factor_id={protected.factor_id}")
    assert (await browser.submit(question, path)).location == STEP_UP
    await asked(new_browser(), protected)


async def remembered(browser: Browser, protected: Protected) -> None:
    """Signs in and has the device remembered."""
    page = await asked(browser, protected)
    answer = await browser.submit(page, VERIFY, code=protected.next_code(), remember_device="yes")
    assert answer.location == "/account"


async def test_remembered_devices_are_listed_and_one_is_forgotten(
    browser: Browser, new_browser: NewBrowser, protected: Protected
) -> None:
    await remembered(browser, protected)
    page = await browser.get(SECURITY)
    assert "Firefox on Linux This device" in page.words("li")
    assert "Skips the second step until:" in page.text
    assert "Forget all devices" not in page.text
    [device_id] = re.findall(r'name="forget" value="([0-9a-f-]{36})"', page.text)
    answer = await browser.submit(page, SECURITY, forget=device_id)
    assert (await browser.follow(answer)).notice.startswith("The device is forgotten.")
    # The page of another window has its button still.
    again = await browser.submit(page, SECURITY, forget=device_id)
    assert (await browser.follow(again)).status == 200
    await browser.submit(await browser.get("/account"), "/sign-out")
    await asked(browser, protected)


async def test_a_remembered_device_is_another_persons_in_no_list(
    browser: Browser, new_browser: NewBrowser, protected: Protected, world: World
) -> None:
    await remembered(browser, protected)
    page = await browser.get(SECURITY)
    [device_id] = re.findall(r'name="forget" value="([0-9a-f-]{36})"', page.text)
    other = new_browser()
    await sign_in(other, await world.new_person())
    theirs = await other.get(SECURITY)
    assert "Skips the second step" not in theirs.text
    fields = theirs.form("/sign-out").fields
    assert (await other.post(SECURITY, {**fields, "forget": device_id})).status == 303
    assert device_id in (await browser.get(SECURITY)).text


async def test_all_remembered_devices_are_forgotten_at_once(
    browser: Browser, new_browser: NewBrowser, protected: Protected, world: World
) -> None:
    await remembered(browser, protected)
    other = new_browser()
    with world.clock.later(timedelta(minutes=1)):
        await remembered(other, protected)
        page = await other.get(SECURITY)
        assert page.text.count("This device") == 1
        fields = page.form("/sign-out").fields
        answer = await other.post(SECURITY, {**fields, "forget": "all"})
        left = await other.follow(answer)
        assert left.notice.startswith("All devices are forgotten.")
        assert "Skips the second step" not in left.text


@pytest.mark.parametrize("which", ["", "x", "0199a4c2-0000-7000-8000-000000000000"])
async def test_a_device_that_there_is_not_is_forgotten_already(
    browser: Browser, protected: Protected, which: str
) -> None:
    await remembered(browser, protected)
    page = await browser.get(SECURITY)
    answer = await browser.submit(page, SECURITY, forget=which)
    assert "Skips the second step" in (await browser.follow(answer)).text
