"""What can be refused about organizations, members and invitations."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class SlugTakenError(DomainError):
    """Another organization has this slug."""

    code = StatusCode.ALREADY_EXISTS
    reason = "SLUG_TAKEN"


class RoleNotGrantableError(DomainError):
    """The role has permissions that the caller lacks."""

    code = StatusCode.PERMISSION_DENIED
    reason = "ROLE_NOT_GRANTABLE"


class LastOwnerError(DomainError):
    """An organization must keep at least one active owner."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "LAST_OWNER"


class OrganizationHasOwnerError(DomainError):
    """The organization has an active owner."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "ORGANIZATION_HAS_OWNER"


class OwnerNotMemberError(DomainError):
    """The organization has active members; the new owner must be one of them."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "OWNER_NOT_MEMBER"


class OwnerSuspendedError(DomainError):
    """The account is suspended; an owner must be active."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "OWNER_SUSPENDED"


class SelfAppointmentError(DomainError):
    """Administrators cannot appoint themselves."""

    code = StatusCode.PERMISSION_DENIED
    reason = "SELF_APPOINTMENT"


class OwnFactorRequiredError(DomainError):
    """Only who has such a second factor can require one of others."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "OWN_FACTOR_REQUIRED"


class MemberNotFoundError(DomainError):
    """There is no such member."""

    code = StatusCode.NOT_FOUND
    reason = "MEMBER_NOT_FOUND"


class AlreadyMemberError(DomainError):
    """The person is already a member."""

    code = StatusCode.ALREADY_EXISTS
    reason = "ALREADY_MEMBER"


class InvitationNotFoundError(DomainError):
    """There is no such invitation."""

    code = StatusCode.NOT_FOUND
    reason = "INVITATION_NOT_FOUND"


class InvitationPendingError(DomainError):
    """The email address already has a pending invitation."""

    code = StatusCode.ALREADY_EXISTS
    reason = "INVITATION_PENDING"


class InvitationAlreadyUsedError(DomainError):
    """The invitation was accepted before."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "INVITATION_ALREADY_USED"


class InvitationRevokedError(DomainError):
    """The invitation was revoked, or its sender can no longer grant the role."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "INVITATION_REVOKED"
    # One whose inviter has lost the right is revoked when somebody tries to accept it.
    keeps_changes = True


class InvitationDeclinedError(DomainError):
    """The invitation was declined."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "INVITATION_DECLINED"


class InvitationExpiredError(DomainError):
    """The invitation has expired."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "INVITATION_EXPIRED"


class InvitationForAnotherAddressError(DomainError):
    """The invitation is for another email address than the caller's verified one."""

    code = StatusCode.PERMISSION_DENIED
    reason = "INVITATION_FOR_ANOTHER_ADDRESS"
