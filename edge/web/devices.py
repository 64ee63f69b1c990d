"""How a session is named: by the browser and the system that its User-Agent speaks of.

A hint for the person, who knows what they own; nothing is decided by it.
"""

from __future__ import annotations

from edge.web.visit import Visit

# The first that is found counts: most browsers claim to be others as well.
BROWSERS = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
MAX_NAME = 60


def browser_name(user_agent: str) -> str:
    """The browser; of another program its own name; empty if it gives none."""
    known = _first(BROWSERS, user_agent)
    if known:
        return known
    return user_agent.split(" ", 1)[0].split("/", 1)[0][:MAX_NAME]


def system_name(user_agent: str) -> str:
    """The system; empty if it is not known."""
    return _first(SYSTEMS, user_agent)


def device_name(visit: Visit, user_agent: str) -> str:
    """The browser and the system, in the words of the person."""
    browser, system = browser_name(user_agent), system_name(user_agent)
    if browser and system:
        return visit.t("sessions.browser_on_system", browser=browser, system=system)
    return browser or system or visit.t("sessions.unknown_device")


def _first(names: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for sign, name in names if sign in user_agent), "")
