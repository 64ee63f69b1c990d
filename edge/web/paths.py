"""Which paths are pages. The gateway makes its routes of this list, the pages' process its own."""

from __future__ import annotations

from dataclasses import dataclass

from portico_contract.limit_categories import LimitCategory

SIGN_IN = "/sign-in"
SIGN_IN_VERIFY = "/sign-in/verify"
SIGN_IN_PASSKEY = "/sign-in/passkey"
SIGN_IN_WITH = "/sign-in/with"
SINGLE_SIGN_ON = "/sign-in/single-sign-on"
# Where providers send browsers back to; the core names it to them.
SIGN_IN_CALLBACK = "/sign-in/callback"
STEP_UP = "/step-up"
SIGN_OUT = "/sign-out"
REGISTER = "/register"
VERIFY_EMAIL = "/verify-email"
RESEND_VERIFICATION = "/resend-verification"
FORGOT_PASSWORD = "/forgot-password"  # noqa: S105 - a path
RESET_PASSWORD = "/reset-password"  # noqa: S105 - a path
ACCEPT_INVITATION = "/invitations/accept"
ACCOUNT = "/account"
ACCOUNT_EMAIL = "/account/email"
ACCOUNT_PASSWORD = "/account/password"  # noqa: S105 - a path
ACCOUNT_SECURITY = "/account/security"
ADD_APP = "/account/security/app"
ADD_PASSKEY = "/account/security/passkey"
ADD_EMAIL_CODES = "/account/security/email"
ADD_SMS_CODES = "/account/security/sms"
RENAME_FACTOR = "/account/security/rename"
REMOVE_FACTOR = "/account/security/remove"
RECOVERY_CODES = "/account/security/recovery-codes"
ACCOUNT_IDENTITIES = "/account/identities"
UNLINK_IDENTITY = "/account/identities/unlink"
ACCOUNT_SESSIONS = "/account/sessions"
ACCOUNT_ORGANIZATIONS = "/account/organizations"
LEAVE_ORGANIZATION = "/account/organizations/leave"
ACCOUNT_APPLICATIONS = "/account/applications"
ACCOUNT_DELETE = "/account/delete"
REPORT_SESSION = "/report-session"
CONFIRM_EMAIL_CHANGE = "/confirm-email-change"
REVERT_EMAIL_CHANGE = "/revert-email-change"
CANCEL_FACTOR_RESET = "/cancel-factor-reset"
# No page: where providers send logout tokens to, behind it the id of the connection.
BACKCHANNEL_LOGOUT = "/sign-in/backchannel-logout"
# No page: where providers fetch authorization requests, behind it the name of one.
REQUEST_OBJECTS = "/sign-in/request-objects"
# Where applications send browsers to, and the page that this leads to.
AUTHORIZE = "/oauth/authorize"
CONSENT = "/oauth/consent"
# Where people type the code that a device shows; the core names it to the device.
DEVICE = "/device"
# Where applications send browsers to sign out, and what the button of its page does.
END_SESSION = "/oauth/logout"
CONFIRM_LOGOUT = "/oauth/logout/confirm"
# What applications call.
TOKEN = "/oauth/token"  # noqa: S105 - a path
PUSH = "/oauth/par"
DEVICE_AUTHORIZATION = "/oauth/device_authorization"
REVOKE = "/oauth/revoke"
INTROSPECT = "/oauth/introspect"
USERINFO = "/oauth/userinfo"
# Where applications register themselves, and where they keep their registration.
REGISTER_CLIENT = "/oauth/register"
REGISTERED_CLIENT = "/oauth/register/client"
OPENID_CONFIGURATION = "/.well-known/openid-configuration"
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
KEY_SET = "/.well-known/jwks.json"
ASSETS = "/assets"
# Our copies of the logos of applications.
LOGOS = f"{ASSETS}/logos"
START = "/"


@dataclass(frozen=True, slots=True)
class PagePath:
    """A path of the pages.

    Attributes:
        form: the budget, of the client's address, that a form sent there is charged to: the
            one that the method of the API for the same thing has. None if it takes no form.
        below: whether the paths below it are pages, too.
        return_place: whether a person may be sent there after signing in.
    """

    path: str
    form: LimitCategory | None = None
    below: bool = False
    return_place: bool = False

    def covers(self, path: str) -> bool:
        """Whether a path is this one, or below it if that counts."""
        return path == self.path or (self.below and path.startswith(f"{self.path}/"))


@dataclass(frozen=True, slots=True)
class EndpointPath:
    """A path that programs call, in the wire formats of OAuth 2.1 and OpenID Connect.

    Attributes:
        verbs: what it answers to.
        limit: the budget, of the client's address, that a call is charged to. None if it is not.
        any_origin: whether pages of every origin may call it: without cookies, which it does
            not look at.
    """

    path: str
    verbs: tuple[str, ...]
    limit: LimitCategory | None = None
    any_origin: bool = True


_READS = ("GET", "HEAD")
ENDPOINT_PATHS = (
    EndpointPath(TOKEN, ("POST",), LimitCategory.TOKEN),
    EndpointPath(PUSH, ("POST",), LimitCategory.TOKEN),
    EndpointPath(DEVICE_AUTHORIZATION, ("POST",), LimitCategory.TOKEN),
    EndpointPath(REVOKE, ("POST",), LimitCategory.TOKEN),
    # Servers ask, for each request of theirs.
    EndpointPath(INTROSPECT, ("POST",), any_origin=False),
    EndpointPath(USERINFO, (*_READS, "POST"), LimitCategory.TOKEN),
    EndpointPath(REGISTER_CLIENT, ("POST",), LimitCategory.REGISTER),
    EndpointPath(REGISTERED_CLIENT, (*_READS, "PUT", "DELETE"), LimitCategory.TOKEN),
    EndpointPath(OPENID_CONFIGURATION, _READS),
    EndpointPath(AUTHORIZATION_SERVER, _READS),
    EndpointPath(PROTECTED_RESOURCE, _READS),
    EndpointPath(KEY_SET, _READS),
)

PAGE_PATHS = (
    PagePath(START),
    PagePath(SIGN_IN, LimitCategory.LOGIN),
    PagePath(SIGN_IN_VERIFY, LimitCategory.LOGIN),
    PagePath(SIGN_IN_PASSKEY, LimitCategory.LOGIN),
    PagePath(SIGN_IN_WITH, LimitCategory.WRITE),
    PagePath(SINGLE_SIGN_ON, LimitCategory.WRITE),
    PagePath(SIGN_IN_CALLBACK),
    PagePath(STEP_UP, LimitCategory.LOGIN),
    PagePath(SIGN_OUT, LimitCategory.WRITE),
    PagePath(REGISTER, LimitCategory.REGISTER),
    PagePath(VERIFY_EMAIL, LimitCategory.WRITE),
    PagePath(RESEND_VERIFICATION, LimitCategory.PASSWORD_RESET),
    PagePath(FORGOT_PASSWORD, LimitCategory.PASSWORD_RESET),
    PagePath(RESET_PASSWORD, LimitCategory.PASSWORD_RESET),
    PagePath(ACCEPT_INVITATION, LimitCategory.WRITE, return_place=True),
    PagePath(ACCOUNT, LimitCategory.WRITE, below=True, return_place=True),
    PagePath(AUTHORIZE, LimitCategory.WRITE),
    PagePath(CONSENT, LimitCategory.WRITE, return_place=True),
    PagePath(DEVICE, LimitCategory.WRITE, return_place=True),
    PagePath(END_SESSION, LimitCategory.WRITE),
    PagePath(CONFIRM_LOGOUT, LimitCategory.WRITE),
    PagePath(REPORT_SESSION, LimitCategory.WRITE),
    PagePath(CONFIRM_EMAIL_CHANGE, LimitCategory.WRITE),
    PagePath(REVERT_EMAIL_CHANGE, LimitCategory.WRITE),
    PagePath(CANCEL_FACTOR_RESET, LimitCategory.WRITE),
    PagePath(BACKCHANNEL_LOGOUT, LimitCategory.WRITE, below=True),
    PagePath(REQUEST_OBJECTS, below=True),
    PagePath(ASSETS, below=True),
)
