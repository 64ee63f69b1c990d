"""The host that a client names: nothing depends on it, behind the real gateway and core."""

from __future__ import annotations

import pytest

from tests.platform.conftest import Tenant


@pytest.mark.parametrize("host", ["", "evil.example"])
async def test_any_host_is_answered(tenant: Tenant, host: str) -> None:
    headers = {"Host": host, "Authorization": f"Bearer {tenant.client.token}"}
    async with tenant.client.http.get("/api/v1/users/me", headers=headers) as answer:
        assert answer.status == 200
