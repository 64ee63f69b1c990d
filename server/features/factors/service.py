"""The caller's factors: the verbs. Each looks, decides and answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import segno
from portico.factors.v1 import factor_service_pb2 as pb

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from portico_kit.ids import parse_id
from portico_kit.secrets import Secrets
from server.features.emails.facade import Mailer
from server.features.factors import messages
from server.features.factors.errors import (
    CodeInvalidError,
    EnrollmentExpiredError,
    FactorNotFoundError,
    FactorRequiredError,
)
from server.features.factors.facade import Factors
from server.features.factors.mails import RECOVERY_CODES_CREATED
from server.features.factors.models import ENROLLMENT_LIFETIME, TotpSecret
from server.features.factors.repository import FactorRepository
from server.features.factors.shown import SECRET_PURPOSE
from server.features.factors.totp import Totp
from server.features.users.facade import Accounts
from server.features.users.notices import when_and_where

DEFAULT_TOTP_NAME = "Authenticator app"


@dataclass(frozen=True, slots=True)
class FactorService:
    """Serves portico.factors.v1.FactorService."""

    factors: Factors
    accounts: Accounts
    secrets: Secrets
    mailer: Mailer
    issuer_name: str

    async def ListFactors(
        self, request: pb.ListFactorsRequest, call: Call
    ) -> pb.ListFactorsResponse:
        repository = FactorRepository(call.db)
        return pb.ListFactorsResponse(
            factors=[messages.factor(each) for each in await repository.list(call.user_id)],
            recovery_codes_left=await repository.recovery_codes_left(call.user_id),
        )

    async def UpdateFactor(
        self, request: pb.UpdateFactorRequest, call: Call
    ) -> pb.UpdateFactorResponse:
        repository = FactorRepository(call.db)
        factor = await repository.find(parse_id(request.factor_id), call.user_id)
        if factor is None:
            raise FactorNotFoundError
        factor.name = request.name
        return pb.UpdateFactorResponse(factor=messages.factor(factor))

    async def DeleteFactor(
        self, request: pb.DeleteFactorRequest, call: Call
    ) -> pb.DeleteFactorResponse:
        await self.factors.remove(parse_id(request.factor_id), call)
        return pb.DeleteFactorResponse()

    async def BeginTotpEnrollment(
        self, request: pb.BeginTotpEnrollmentRequest, call: Call
    ) -> pb.BeginTotpEnrollmentResponse:
        totp = Totp.new()
        uri = totp.uri(self.issuer_name, call.person.message.email)
        sealed = self.secrets.seal(SECRET_PURPOSE, totp.secret)
        # It takes 8 ms, in which others are served.
        image = await asyncio.to_thread(_qr_code, uri)
        expires_at = call.now + ENROLLMENT_LIFETIME
        await FactorRepository(call.db).begin_enrollment(call.user_id, sealed, expires_at)
        return pb.BeginTotpEnrollmentResponse(secret=totp.base32, uri=uri, qr_svg=image)

    async def ConfirmTotpEnrollment(
        self, request: pb.ConfirmTotpEnrollmentRequest, call: Call
    ) -> pb.ConfirmTotpEnrollmentResponse:
        repository = FactorRepository(call.db)
        enrollment = await repository.enrollment(call.user_id, call.now)
        if enrollment is None:
            raise EnrollmentExpiredError
        totp = Totp(self.secrets.unseal(SECRET_PURPOSE, enrollment.sealed_secret))
        step = totp.step(request.code, call.now)
        if step is None:
            raise CodeInvalidError
        shown = Authentication("totp", call.now)
        added = await self.factors.add("totp", request.name or DEFAULT_TOTP_NAME, shown, call)
        # The code that enrolled it signs nobody in.
        secret = TotpSecret(
            factor_id=added.factor.id, sealed_secret=enrollment.sealed_secret, last_step=step
        )
        repository.add(secret)
        await repository.end_enrollment(enrollment)
        return pb.ConfirmTotpEnrollmentResponse(
            factor=messages.factor(added.factor), recovery_codes=added.recovery_codes
        )

    async def CreateRecoveryCodes(
        self, request: pb.CreateRecoveryCodesRequest, call: Call
    ) -> pb.CreateRecoveryCodesResponse:
        account = await self.accounts.lock(call.db, call.user_id)
        if account is None or not account.has_second_factor:
            raise FactorRequiredError
        codes = await self.factors.new_recovery_codes(account.id, call)
        call.record("recovery_codes.created", target_id=account.id)
        self.mailer.send(
            call,
            account.email,
            RECOVERY_CODES_CREATED,
            display_name=account.display_name,
            **when_and_where(call),
        )
        return pb.CreateRecoveryCodesResponse(recovery_codes=codes)


def _qr_code(uri: str) -> str:
    """An SVG image; black on white in dark surroundings, too, for cameras need it."""
    code = segno.make(uri, error="m")
    return code.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True)
