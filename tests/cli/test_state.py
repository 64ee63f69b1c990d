"""The folders of a platform are ours before anything is done to them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cli.run.errors import RunError
from cli.run.settings import read_settings
from cli.run.state import prepare_folders


def test_a_link_in_a_shared_folder_is_refused_and_what_it_leads_to_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, private = tmp_path / "shared", tmp_path / "private"
    shared.mkdir()
    private.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(shared))
    # Too long for sockets, so they go to the shared folder.
    settings = read_settings({"PORTICO_STATE_DIR": str(tmp_path / ("deep" * 30))})
    settings.sockets_dir.symlink_to(private)
    with pytest.raises(RunError, match="belongs to somebody else"):
        prepare_folders(settings)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert list(private.iterdir()) == []
