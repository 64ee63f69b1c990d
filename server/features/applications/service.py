"""Applications: the verbs. Each looks, decides and answers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from portico.applications.v1 import application_service_pb2 as pb
from portico.applications.v1.application_pb2 import Application as ApplicationMessage

from portico_kit.call import Call
from portico_kit.changes import changed_fields
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.errors import NotFoundError, PermissionDeniedError
from portico_kit.ids import new_id, parse_id
from portico_kit.paging import Cursors
from portico_kit.tokens import new_client_secret, secret_prefix
from server.features.applications import messages
from server.features.applications.authentication import ClientSecrets
from server.features.applications.editing import ApplicationEditor
from server.features.applications.errors import (
    ApplicationLimitReachedError,
    ApplicationNotCreatedError,
    ApplicationNotFoundError,
    ApplicationPeopleKnownError,
)
from server.features.applications.kinds import CREATED, DOCUMENT, PERSONAL_SCOPES
from server.features.applications.models import Application
from server.features.applications.ports import Grants
from server.features.applications.repository import ApplicationRepository
from server.features.applications.rules import permissions_among, require_grantable
from server.features.applications.sectors import SectorDocument, SectorDocuments
from server.features.keys.errors import ScopeNotGrantableError
from server.features.organizations.facade import Tenants

# Of an organization.
MAX_APPLICATIONS = 50
# What the document of a sector is held against.
_OF_SECTOR = frozenset({"sector_identifier_uri", "redirect_uris"})


@dataclass(frozen=True, slots=True)
class ApplicationService:
    """Serves portico.applications.v1.ApplicationService.

    Attributes:
        environment: "live" or "test"; stands in every new secret.
    """

    editor: ApplicationEditor
    secrets: ClientSecrets
    sectors: SectorDocuments
    cursors: Cursors
    invalidator: CacheInvalidator
    tenants: Tenants
    grants: Grants
    environment: str

    async def CreateApplication(
        self, request: pb.CreateApplicationRequest, call: Call
    ) -> pb.CreateApplicationResponse:
        organization_id = parse_id(request.organization_id)
        require_grantable(request.scopes, organization_id, call)
        application = Application(
            id=new_id(), organization_id=organization_id, created_by=call.principal.person_id
        )
        self.editor.create(application, request)
        sector = await self.sectors.fetch(application.sector_identifier_uri)
        sector.require(application.sector_identifier_uri, application.redirect_uris)
        await self._require_room(application, call)
        secret = self._new_secret(application, call) if application.uses_secrets else ""
        ApplicationRepository(call.db).add(application)
        await call.db.flush()
        shown = messages.application(application, call.now)
        call.record(
            "application.created",
            organization_id=organization_id,
            target_id=application.id,
            data=shown,
        )
        call.location(f"/api/v1/applications/{application.id}")
        return pb.CreateApplicationResponse(application=shown, client_secret=secret)

    async def ListApplications(
        self, request: pb.ListApplicationsRequest, call: Call
    ) -> pb.ListApplicationsResponse:
        paging = self.cursors.paging(request)
        organization_id = parse_id(request.organization_id)
        created_by = parse_id(request.created_by) if request.HasField("created_by") else None
        page = await ApplicationRepository(call.db).list(
            organization_id, paging, self.cursors, created_by=created_by
        )
        return pb.ListApplicationsResponse(
            applications=[messages.application(row, call.now) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def GetApplication(
        self, request: pb.GetApplicationRequest, call: Call
    ) -> pb.GetApplicationResponse:
        repository = ApplicationRepository(call.db)
        found = await repository.find(parse_id(request.application_id), call.tenants)
        application = _authorized(found, call)
        call.etag(application.version)
        return pb.GetApplicationResponse(application=messages.application(application, call.now))

    async def UpdateApplication(
        self, request: pb.UpdateApplicationRequest, call: Call
    ) -> pb.UpdateApplicationResponse:
        changed = changed_fields(request)
        sector = await self._sector(request, changed, call)
        application = await _find_to_change(request.application_id, call)
        if application.origin == DOCUMENT and changed - {"application_id"} != {"enabled"}:
            raise ApplicationNotCreatedError
        # As with revoking: to end what it does takes no more than the method's permission.
        if request.enabled or changed - {"application_id"} != {"enabled"}:
            _require_held(application, call)
        if "scopes" in changed:
            require_grantable(request.scopes, application.organization_id, call)
        names = application.names_of_people
        self.editor.apply(application, request, changed)
        if sector is not None:
            sector.require(application.sector_identifier_uri, application.redirect_uris)
        if names != application.names_of_people:
            await self._require_nobody_known(application, call)
        if "enabled" in changed:
            application.set_enabled(request.enabled, call.now)
        shown = await self._changed("application.updated", application, call)
        return pb.UpdateApplicationResponse(application=shown)

    async def DeleteApplication(
        self, request: pb.DeleteApplicationRequest, call: Call
    ) -> pb.DeleteApplicationResponse:
        application = await _find_to_change(request.application_id, call)
        shown = messages.application(application, call.now)
        application.delete(call.now)
        call.record(
            "application.deleted",
            organization_id=application.organization_id,
            target_id=application.id,
            data=shown,
        )
        await self.grants.revoke_of_application(application.id, call)
        self._invalidate(application.id, call)
        return pb.DeleteApplicationResponse()

    async def RotateApplicationSecret(
        self, request: pb.RotateApplicationSecretRequest, call: Call
    ) -> pb.RotateApplicationSecretResponse:
        application = await _find_to_change(request.application_id, call)
        _require_held(application, call)
        overlap = timedelta(seconds=request.overlap_seconds)
        secret = self._new_secret(application, call, overlap)
        shown = await self._changed("application.secret_rotated", application, call)
        return pb.RotateApplicationSecretResponse(application=shown, client_secret=secret)

    async def RevokeApplicationSecret(
        self, request: pb.RevokeApplicationSecretRequest, call: Call
    ) -> pb.RevokeApplicationSecretResponse:
        application = await _find_to_change(request.application_id, call)
        application.revoke_secret(request.secret_id)
        shown = await self._changed("application.updated", application, call)
        return pb.RevokeApplicationSecretResponse(application=shown)

    async def SetFirstParty(
        self, request: pb.SetFirstPartyRequest, call: Call
    ) -> pb.SetFirstPartyResponse:
        repository = ApplicationRepository(call.db)
        application = await repository.find_of_any(parse_id(request.application_id))
        if application is None:
            raise ApplicationNotFoundError
        call.expect(application.version)
        if request.first_party and application.origin != CREATED:
            # It could have people sent elsewhere afterwards, and they would not be asked.
            raise ApplicationNotCreatedError
        application.first_party = request.first_party
        shown = await self._changed("application.updated", application, call)
        return pb.SetFirstPartyResponse(application=shown)

    async def _sector(
        self, request: pb.UpdateApplicationRequest, changed: Collection[str], call: Call
    ) -> SectorDocument | None:
        """The document of the sector, if the change concerns it.

        Asked for before anybody waits for the row: another server may take its time.
        """
        if not _OF_SECTOR.intersection(changed):
            return None
        repository = ApplicationRepository(call.db)
        found = await repository.find(parse_id(request.application_id), call.tenants)
        uri = _authorized(found, call).sector_identifier_uri
        if "sector_identifier_uri" in changed:
            uri = self.editor.checked_sector(request.sector_identifier_uri)
        return await self.sectors.fetch(uri)

    async def _require_nobody_known(self, application: Application, call: Call) -> None:
        """Refuses other names for people who have used the application."""
        if await self.grants.has_people(application.id, call):
            raise ApplicationPeopleKnownError

    async def _require_room(self, application: Application, call: Call) -> None:
        """Refuses one application too many, however many are created at once."""
        organization_id = application.organization_id
        if not await self.tenants.lock(call.db, organization_id):
            raise NotFoundError
        await self._require_still_allowed(application, call)
        if await ApplicationRepository(call.db).count(organization_id) >= MAX_APPLICATIONS:
            raise ApplicationLimitReachedError(limit=str(MAX_APPLICATIONS))

    async def _require_still_allowed(self, application: Application, call: Call) -> None:
        """Refuses a person whose rights were taken while the call waited for the lock."""
        if not call.principal.is_person:
            return
        organization_id = application.organization_id
        now = await self.tenants.permissions_now(call.db, call.user_id, [organization_id])
        if organization_id not in now:
            raise NotFoundError
        held = call.within_scopes(now[organization_id])
        if call.method.permission not in held:
            raise PermissionDeniedError(permission=call.method.permission)
        lacking = permissions_among(application.scopes) - held
        if lacking:
            raise ScopeNotGrantableError(scopes=" ".join(sorted(lacking)))

    def _new_secret(
        self, application: Application, call: Call, overlap: timedelta = timedelta(0)
    ) -> str:
        secret = new_client_secret(self.environment)
        application.set_secret(self.secrets.hash(secret), secret_prefix(secret), call.now, overlap)
        return secret

    async def _changed(
        self, action: str, application: Application, call: Call
    ) -> ApplicationMessage:
        """Records a change, if it is one, and has every process forget what it was before."""
        await call.db.flush()
        await call.db.refresh(application)
        shown = messages.application(application, call.now)
        call.etag(application.version)
        if call.changed(application.version):
            call.record(
                action,
                organization_id=application.organization_id,
                target_id=application.id,
                data=shown,
            )
            self._invalidate(application.id, call)
        return shown

    def _invalidate(self, application_id: UUID, call: Call) -> None:
        call.after_commit.append(lambda: self.invalidator.application_changed(application_id))


async def _find_to_change(application_id: str, call: Call) -> Application:
    """The application, if the caller may do this to it; locked, and as the caller expects it."""
    repository = ApplicationRepository(call.db)
    found = await repository.find_to_change(parse_id(application_id), call.tenants)
    application = _authorized(found, call)
    call.expect(application.version)
    return application


def _authorized(application: Application | None, call: Call) -> Application:
    if application is None:
        raise ApplicationNotFoundError
    call.authorize(application.organization_id)
    return application


def _require_held(application: Application, call: Call) -> None:
    permissions = frozenset(application.scopes) - PERSONAL_SCOPES
    call.require_held(application.organization_id, permissions)
