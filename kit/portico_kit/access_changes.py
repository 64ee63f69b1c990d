"""After which actions a caller may have lost something, and who that is.

Whatever changes, the audit log has a line for it. Nothing is decided here: whoever keeps a
stream open for somebody concerned asks again whether they may have it.
"""

from __future__ import annotations

from uuid import UUID

# By the first part of an action ("member.removed"): whether it concerns everybody in the
# organization, or only whom it was done to and who did it.
_FAMILIES = {
    "application": False,
    "factor": False,
    "grant": False,
    "key": False,
    "member": False,
    "organization": True,
    "session": False,
    "user": False,
}
# What comes to be takes nothing away.
_HARMLESS = frozenset(
    {"added", "created", "failed", "imported", "registered", "stepped_up", "unrecognized"}
)


def concerned(action: str, organization_id: UUID | None, *others: UUID | None) -> tuple[str, ...]:
    """The ids of what an action may take access from; none if it takes none.

    Args:
        others: what it was done to, and who did it.
    """
    family, _, what = action.partition(".")
    whole = _FAMILIES.get(family)
    if whole is None or what in _HARMLESS:
        return ()
    ids = (organization_id, *others) if whole else others
    return tuple(str(one) for one in ids if one is not None)
