"""What pages load: a stylesheet, a script, the logo; their names change with their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edge.web.brand import LOGO_TYPES, dark_color
from edge.web.paths import ASSETS

FOLDER = Path(__file__).parent / "assets"
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<rect width="16" height="16" rx="4" fill="{color}"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that browsers may keep."""

    path: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Assets:
    """The files of this platform.

    Attributes:
        passkeys: the script for what a browser does in no other way.
        form_post: the script that presses a button which a person can press as well.
        logout_frames: the script that follows a link once the frames of its page are loaded.
        icon: what a browser shows beside the title; the logo if there is one.
    """

    stylesheet: Asset
    passkeys: Asset
    form_post: Asset
    logout_frames: Asset
    logo: Asset | None
    icon: Asset

    def find(self, path: str) -> Asset | None:
        """The asset with this path."""
        scripts = (self.passkeys, self.form_post, self.logout_frames)
        known = (self.stylesheet, *scripts, self.logo, self.icon)
        return next((each for each in known if each is not None and each.path == path), None)


def load_assets(brand_color: str, logo_file: Path | None) -> Assets:
    """Reads the files and puts the brand's color into the stylesheet."""
    style = (FOLDER / "style.css").read_text("utf-8")
    colors = {"BRAND_ON_DARK": dark_color(brand_color), "BRAND": brand_color}
    for name, color in colors.items():
        style = style.replace(f"/*{name}*/", color)
    stylesheet = _asset("style", ".css", "text/css", style.encode())
    scripts = _script("passkeys"), _script("form-post"), _script("logout-frames")
    if logo_file is None:
        drawn = ICON.format(color=brand_color).encode()
        icon = _asset("icon", ".svg", LOGO_TYPES[".svg"], drawn)
        return Assets(stylesheet, *scripts, None, icon)
    kind = logo_file.suffix.lower()
    logo = _asset("logo", kind, LOGO_TYPES[kind], logo_file.read_bytes())
    return Assets(stylesheet, *scripts, logo, logo)


def _script(name: str) -> Asset:
    return _asset(name, ".js", "text/javascript", (FOLDER / f"{name}.js").read_bytes())


def _asset(name: str, kind: str, content_type: str, content: bytes) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Asset(f"{ASSETS}/{name}-{digest}{kind}", content_type, content)
