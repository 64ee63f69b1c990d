"""Every link in a mail leads to a page, and opening it is harmless."""

from __future__ import annotations

import pytest

from edge.web.app import PAGES
from edge.web.paths import PAGE_PATHS
from server.app import FEATURES
from server.common.mail import Mail

LINKED = [mail for feature in FEATURES for mail in feature.mails if mail.link is not None]


@pytest.mark.parametrize("mail", LINKED, ids=lambda mail: mail.name)
def test_the_link_of_a_mail_leads_to_a_page_with_a_form(mail: Mail) -> None:
    assert mail.link is not None
    assert PAGES[mail.link.path].post is not None
    assert any(page.covers(mail.link.path) for page in PAGE_PATHS)
