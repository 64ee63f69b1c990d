"""A session is named by its browser and system, as far as they can be known."""

from __future__ import annotations

import pytest

from edge.web.devices import browser_name, system_name

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/153.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "browser", "system"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME}", "Chrome", "Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Edg/153.0", "Edge", "Windows"),
        (f"Mozilla/5.0 (Linux; Android 16; Pixel 9) {CHROME}", "Chrome", "Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Firefox/150.0", "Firefox", "Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) FxiOS/150.0 Safari/604", "Firefox", "iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X) Version/19.0 Safari/605", "Safari", "macOS"),
        ("curl/8.10", "curl", ""),
        ("", "", ""),
    ],
)
def test_a_user_agent_has_a_name(user_agent: str, browser: str, system: str) -> None:
    assert (browser_name(user_agent), system_name(user_agent)) == (browser, system)
