-- The database of Portico 0.1.0 at revision 0005, with rows in every table. Its platform was
-- started and used through its API; then came `pg_dump --inserts`, without the settings of the
-- session. portico_0_1_0.json holds the secret key, and the passwords and tokens of its people.
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.api_keys (
    organization_id uuid NOT NULL,
    created_by uuid,
    name character varying(100) NOT NULL,
    prefix character varying(32) NOT NULL,
    secret_hash bytea,
    previous_secret_hash bytea,
    previous_secret_expires_at timestamp with time zone,
    scopes character varying(64)[] NOT NULL,
    limit_per_minute integer,
    limit_per_hour integer,
    limit_per_day integer,
    limit_per_month integer,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    rotated_at timestamp with time zone,
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    version integer NOT NULL,
    allowed_cidrs character varying(64)[] DEFAULT '{}'::character varying[] NOT NULL,
    last_used_at timestamp with time zone,
    use_count bigint DEFAULT 0 NOT NULL,
    CONSTRAINT ck_api_keys_has_scopes CHECK ((cardinality(scopes) > 0))
);
CREATE TABLE public.attempts (
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    duration_ms integer NOT NULL,
    response_status integer,
    response_body text NOT NULL,
    error character varying(500) NOT NULL
);
CREATE TABLE public.audit_log (
    organization_id uuid,
    actor_kind character varying(16) NOT NULL,
    actor_id uuid,
    action character varying(64) NOT NULL,
    target_id uuid,
    details jsonb NOT NULL,
    client_address character varying(64) NOT NULL,
    request_id character varying(128) NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    id uuid NOT NULL
);
CREATE TABLE public.deliveries (
    webhook_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    event_id uuid NOT NULL,
    event_type character varying(64) NOT NULL,
    payload text NOT NULL,
    status character varying(16) NOT NULL,
    attempt_count integer NOT NULL,
    schedule_position integer NOT NULL,
    next_attempt_at timestamp with time zone,
    claimed_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    delivered_at timestamp with time zone,
    id uuid NOT NULL,
    CONSTRAINT ck_deliveries_pending_has_next_attempt CHECK ((((status)::text = 'pending'::text) = (next_attempt_at IS NOT NULL))),
    CONSTRAINT ck_deliveries_status_is_known CHECK (((status)::text = ANY ((ARRAY['pending'::character varying, 'delivered'::character varying, 'failed'::character varying])::text[])))
);
CREATE TABLE public.emails (
    recipient character varying(254) NOT NULL,
    template character varying(64) NOT NULL,
    sealed_variables bytea,
    attempt_count integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT now(),
    sent_at timestamp with time zone,
    last_error character varying(500),
    id uuid NOT NULL
);
CREATE TABLE public.events (
    organization_id uuid NOT NULL,
    type character varying(64) NOT NULL,
    data jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    fanned_out_at timestamp with time zone,
    id uuid NOT NULL
);
CREATE TABLE public.idempotency_keys (
    scope bytea NOT NULL,
    request_digest bytea NOT NULL,
    method character varying(128) NOT NULL,
    sealed_answer bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.imported_secrets (
    api_key_id uuid NOT NULL,
    prefix character varying(32) NOT NULL COLLATE pg_catalog."C",
    algorithm character varying(16),
    sealed_hash bytea,
    CONSTRAINT ck_imported_secrets_algorithm_is_known CHECK (((algorithm)::text = ANY ((ARRAY['hmac_sha256'::character varying, 'sha256'::character varying, 'bcrypt'::character varying])::text[]))),
    CONSTRAINT ck_imported_secrets_hash_has_algorithm CHECK (((algorithm IS NULL) = (sealed_hash IS NULL)))
);
CREATE TABLE public.invitations (
    organization_id uuid NOT NULL,
    email character varying(254) NOT NULL,
    role character varying(32) NOT NULL,
    token_hash bytea NOT NULL,
    invited_by uuid,
    status character varying(16) NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    accepted_at timestamp with time zone,
    revoked_at timestamp with time zone,
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    version integer NOT NULL,
    CONSTRAINT ck_invitations_accepted_has_time CHECK ((((status)::text = 'accepted'::text) = (accepted_at IS NOT NULL))),
    CONSTRAINT ck_invitations_revoked_has_time CHECK ((((status)::text = 'revoked'::text) = (revoked_at IS NOT NULL))),
    CONSTRAINT ck_invitations_status_is_known CHECK (((status)::text = ANY ((ARRAY['pending'::character varying, 'accepted'::character varying, 'revoked'::character varying, 'expired'::character varying])::text[])))
);
CREATE TABLE public.memberships (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role character varying(32) NOT NULL,
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    version integer NOT NULL
);
CREATE TABLE public.one_time_tokens (
    user_id uuid NOT NULL,
    kind character varying(16) NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    id uuid NOT NULL,
    CONSTRAINT ck_one_time_tokens_kind CHECK (((kind)::text = ANY ((ARRAY['verify_email'::character varying, 'reset_password'::character varying])::text[])))
);
CREATE TABLE public.organization_limits (
    organization_id uuid NOT NULL,
    multiplier_percent integer NOT NULL,
    overrides jsonb NOT NULL,
    time_zone character varying(64) NOT NULL,
    shadow boolean NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    version integer NOT NULL,
    shadow_rules character varying(32)[] DEFAULT '{}'::character varying[] NOT NULL,
    CONSTRAINT ck_organization_limits_multiplier_in_bounds CHECK (((multiplier_percent >= 1) AND (multiplier_percent <= 100000)))
);
CREATE TABLE public.organizations (
    name character varying(100) NOT NULL,
    slug character varying(50) NOT NULL,
    tier character varying(16) NOT NULL,
    deleted_at timestamp with time zone,
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    version integer NOT NULL,
    CONSTRAINT ck_organizations_tier_is_known CHECK (((tier)::text = ANY ((ARRAY['free'::character varying, 'basic'::character varying, 'pro'::character varying, 'enterprise'::character varying])::text[])))
);
CREATE TABLE public.permissions (
    name character varying(64) NOT NULL
);
CREATE TABLE public.refresh_tokens (
    session_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    id uuid NOT NULL
);
CREATE TABLE public.role_permissions (
    role character varying(32) NOT NULL,
    permission character varying(64) NOT NULL
);
CREATE TABLE public.roles (
    name character varying(32) NOT NULL
);
CREATE TABLE public.sessions (
    user_id uuid NOT NULL,
    organization_id uuid,
    user_agent character varying(400) NOT NULL,
    ip_address character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    absolute_expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    id uuid NOT NULL
);
CREATE TABLE public.signing_keys (
    kid character varying(36) NOT NULL,
    sealed_private_key bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    signs_from timestamp with time zone NOT NULL,
    retired_at timestamp with time zone
);
CREATE TABLE public.user_profiles (
    user_id uuid NOT NULL,
    display_name character varying(50) NOT NULL,
    avatar_url character varying(2000) NOT NULL,
    bio character varying(500) NOT NULL,
    preferences jsonb NOT NULL
);
CREATE TABLE public.users (
    email character varying(254) NOT NULL,
    password_hash character varying(100),
    email_verified_at timestamp with time zone,
    status character varying(16) NOT NULL,
    role character varying(16) NOT NULL,
    accepted_terms_at timestamp with time zone,
    last_login_at timestamp with time zone,
    sessions_valid_after timestamp with time zone,
    deleted_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    version integer NOT NULL,
    CONSTRAINT ck_users_role CHECK (((role)::text = ANY ((ARRAY['user'::character varying, 'administrator'::character varying])::text[]))),
    CONSTRAINT ck_users_status CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'suspended'::character varying])::text[])))
);
CREATE TABLE public.webhooks (
    organization_id uuid NOT NULL,
    url character varying(2000) NOT NULL,
    event_types character varying(64)[] NOT NULL,
    description character varying(500) NOT NULL,
    enabled boolean NOT NULL,
    sealed_secret bytea NOT NULL,
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    version integer NOT NULL,
    CONSTRAINT ck_webhooks_has_event_types CHECK ((cardinality(event_types) > 0))
);
INSERT INTO public.alembic_version VALUES ('0005');
INSERT INTO public.api_keys VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-b870-7748-a977-28b0e0fd939e', 'from one place', 'pk_test_RIqNvA', '\x42ed7dde1f7d402a7640bcb41effbf22ee84fca46d13cc23663b13544d36c390', NULL, NULL, '{keys:read}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '01a21582-c94d-704a-be1b-08d522d59882', '2026-11-26 01:40:22.479416+00', '2026-11-26 01:40:22.479416+00', 1, '{10.0.0.0/8,2001:db8::/32}', NULL, 0);
INSERT INTO public.api_keys VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-b870-7748-a977-28b0e0fd939e', 'rotated', 'pk_test_sVsBSS', '\xb518fb64c16111d93e3d88db18ce92b0acb8dd4ed6b6e7a3481440ad2ead281b', '\x7e16a19f4b0926ef566071ea63076419842419f8bc8c865a96049a8a7f69a0a4', '2026-12-03 01:40:22.51103+00', '{webhooks:read}', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-26 01:40:22.51103+00', '01a21582-c95e-77f4-9e5d-cfba0b22341e', '2026-11-26 01:40:22.496245+00', '2026-11-26 01:40:22.516498+00', 2, '{}', NULL, 0);
INSERT INTO public.api_keys VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-b9b9-7239-878e-5f4c4663ec6e', 'revoked', 'pk_test_YOP84C', '\x54484294877b16f5c0729e4a9a05512b7f33ddc301dcf28550d8420134037a44', NULL, NULL, '{keys:read}', NULL, NULL, NULL, NULL, NULL, '2026-11-26 01:40:22.562228+00', NULL, '01a21582-c98e-76d8-9a7f-808b9ca9f759', '2026-11-26 01:40:22.544052+00', '2026-11-26 01:40:22.566802+00', 2, '{}', NULL, 0);
INSERT INTO public.api_keys VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-bac8-7568-b32a-decc4f72052d', 'expired', 'pk_test_QLkSNp', '\x5600198d4c8eac7df38dfb92e4748dac1d3df583f546fa951be935f4ad9269aa', NULL, NULL, '{keys:read}', NULL, NULL, NULL, NULL, '2026-11-26 01:40:22.606764+00', NULL, NULL, '01a21582-c9be-73ca-8cb2-16647a3256a1', '2026-11-26 01:40:22.592336+00', '2026-11-26 01:40:22.592336+00', 1, '{}', NULL, 0);
INSERT INTO public.api_keys VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'imported', 'old_live_hmac_01', NULL, NULL, NULL, '{organization:read}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '01a21582-c9e5-74a6-89e0-34a73865aea3', '2026-11-26 01:40:22.623426+00', '2026-11-26 01:40:22.623426+00', 1, '{}', NULL, 0);
INSERT INTO public.api_keys VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'imported', 'old_live_sha256_', NULL, NULL, NULL, '{organization:read}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '01a21582-c9e5-74a6-89e0-34a8eb159858', '2026-11-26 01:40:22.623426+00', '2026-11-26 01:40:22.623426+00', 1, '{}', NULL, 0);
INSERT INTO public.api_keys VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'imported', 'old_live_bcrypt_', NULL, NULL, NULL, '{organization:read}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '01a21582-c9e5-74a6-89e0-34a9692fb1db', '2026-11-26 01:40:22.623426+00', '2026-11-26 01:40:22.623426+00', 1, '{}', NULL, 0);
INSERT INTO public.api_keys VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-b870-7748-a977-28b0e0fd939e', 'ingest', 'pk_test_k218TM', '\x99ade75a122b07a1bf8d32db21d40d81916a5c41a611a7e901131fbd23ff106b', NULL, NULL, '{keys:read,organization:read}', 600, NULL, NULL, NULL, NULL, NULL, NULL, '01a21582-c934-7110-9250-3b198c794a07', '2026-11-26 01:40:22.446854+00', '2026-11-26 01:40:22.446854+00', 1, '{}', '2026-11-26 01:40:26.343681+00', 3);
INSERT INTO public.api_keys VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'imported', 'old_live_used_01', '\xdf4957529ecdf90d51157b00dd103fec22284153bc923b935cd9aa6b319703e7', NULL, NULL, '{organization:read}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '01a21582-c9e5-74a6-89e0-34aa84424469', '2026-11-26 01:40:22.623426+00', '2026-11-26 01:40:22.623426+00', 1, '{}', '2026-11-26 01:40:26.351605+00', 2);
INSERT INTO public.api_keys VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-b870-7748-a977-28b0e0fd939e', 'not yet told', 'pk_test_KzE1sK', '\xb0369f198e864d2a37d80f2578f004cd9c9fc7601bb749470124e3f3c12371ac', NULL, NULL, '{members:read}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '01a21583-1c39-762a-8c7c-41eba7451e23', '2026-11-26 01:40:43.707169+00', '2026-11-26 01:40:43.707169+00', 1, '{}', NULL, 0);
INSERT INTO public.attempts VALUES ('01a21582-c469-7284-a31f-6ecc10cc5489', 1, '2026-11-26 01:40:21.253054+00', 11, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c495-7588-9c43-11a9986b0cb3', 1, '2026-11-26 01:40:21.325047+00', 14, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c4e5-77ae-a985-316cad5bd7f9', 1, '2026-11-26 01:40:21.386873+00', 8, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c4e5-77ae-a985-316d66f37f12', 1, '2026-11-26 01:40:21.38829+00', 10, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c5b8-74df-9e88-b8c753b93ae1', 1, '2026-11-26 01:40:21.569983+00', 4, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c5db-76f4-988a-8bd2de50d357', 1, '2026-11-26 01:40:21.614154+00', 2, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c6bd-7178-9fba-141de0965736', 1, '2026-11-26 01:40:21.831841+00', 6, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c6de-726e-90bf-07d0bd061689', 1, '2026-11-26 01:40:21.872576+00', 7, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c7bd-710b-99fd-33a40518215e', 1, '2026-11-26 01:40:22.085721+00', 2, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c7dd-74e7-9697-7dbb31be959d', 1, '2026-11-26 01:40:22.136432+00', 18, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c805-70a5-b9e2-dc7602dcb22e', 1, '2026-11-26 01:40:22.185485+00', 19, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c805-70a5-b9e2-dc772b7f874b', 1, '2026-11-26 01:40:22.18904+00', 17, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c839-743f-af75-ace43961b661', 1, '2026-11-26 01:40:22.220328+00', 3, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c858-7246-ae31-1857a337a448', 1, '2026-11-26 01:40:22.256951+00', 2, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c94e-764c-a13a-9e234e5e77ae', 1, '2026-11-26 01:40:22.495323+00', 8, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c965-7635-a6fc-3759bd4c47d4', 1, '2026-11-26 01:40:22.527742+00', 4, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c98f-7794-9e00-e47506195263', 1, '2026-11-26 01:40:22.567501+00', 5, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c9af-74f0-8340-2f41ac5292a6', 1, '2026-11-26 01:40:22.607987+00', 4, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c9af-74f0-8340-2f42c142b5c7', 1, '2026-11-26 01:40:22.608645+00', 5, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c9d8-7617-8282-37e5c7d24292', 1, '2026-11-26 01:40:22.634214+00', 9, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-c9d8-7617-8282-37e4b7548aea', 1, '2026-11-26 01:40:22.633492+00', 6, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-ca0a-77c3-b7a3-e38c58fe9698', 1, '2026-11-26 01:40:22.678817+00', 5, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-ca0a-77c3-b7a3-e38df827b575', 1, '2026-11-26 01:40:22.67961+00', 8, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-ca0a-77c3-b7a3-e38e1e421f0c', 1, '2026-11-26 01:40:22.680043+00', 9, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-ca0a-77c3-b7a3-e38f9ad7cb21', 1, '2026-11-26 01:40:22.680403+00', 11, 204, '', '');
INSERT INTO public.attempts VALUES ('01a21582-de44-7452-8243-5c79370d5dc3', 1, '2026-11-26 01:40:27.872539+00', 2, 500, 'out of order', '');
INSERT INTO public.attempts VALUES ('01a21582-de44-7452-8243-5c79370d5dc3', 2, '2026-11-26 01:40:31.46546+00', 4, 500, 'out of order', '');
INSERT INTO public.attempts VALUES ('01a21582-de44-7452-8243-5c79370d5dc3', 3, '2026-11-26 01:40:36.458098+00', 11, 500, 'out of order', '');
INSERT INTO public.attempts VALUES ('01a21582-de44-7452-8243-5c79370d5dc3', 4, '2026-11-26 01:40:41.448143+00', 1, 500, 'out of order', '');
INSERT INTO public.attempts VALUES ('01a21583-1455-709a-b2a5-d4e4c24c01e5', 1, '2026-11-26 01:40:41.695179+00', 1, 500, 'out of order', '');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'user.registered', '01a21582-b870-7748-a977-28b0e0fd939e', '{"id": "01a21582-b870-7748-a977-28b0e0fd939e", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:18.164692Z", "updatedAt": "2026-11-26T01:40:18.164692Z", "displayName": "Ada", "preferences": {}, "emailVerified": false}', '10.0.0.1', '6630750d-a0d8-41dc-b380-a46c5f1307ad', '2026-11-26 01:40:18.164692+00', '01a21582-b882-7291-b734-b3180203c9f1');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'user.email_verified', '01a21582-b870-7748-a977-28b0e0fd939e', '{}', '10.0.0.1', '731fadac-b259-43aa-a94b-89b2ee37081a', '2026-11-26 01:40:18.406556+00', '01a21582-b976-7075-a461-74157b876073');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'login.succeeded', '01a21582-b990-7491-b87a-fc8995d6853b', '{}', '10.0.0.1', 'ec04b2e2-0691-474c-b044-0718a0483fb9', '2026-11-26 01:40:18.443317+00', '01a21582-b9ad-7491-922f-b33a6f81f3ee');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-b9b9-7239-878e-5f4c4663ec6e', 'user.registered', '01a21582-b9b9-7239-878e-5f4c4663ec6e', '{"id": "01a21582-b9b9-7239-878e-5f4c4663ec6e", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:18.492742Z", "updatedAt": "2026-11-26T01:40:18.492742Z", "displayName": "Grace", "preferences": {}, "emailVerified": false}', '10.0.0.2', '92624bb3-8226-4f79-8782-f220d984c91e', '2026-11-26 01:40:18.492742+00', '01a21582-b9c5-74d6-84f3-5806a857fd47');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-b9b9-7239-878e-5f4c4663ec6e', 'user.email_verified', '01a21582-b9b9-7239-878e-5f4c4663ec6e', '{}', '10.0.0.2', 'f1e75740-3290-4621-84e1-831df58a33b1', '2026-11-26 01:40:18.721027+00', '01a21582-baa7-753a-a831-6a3fc8f3a9eb');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-b9b9-7239-878e-5f4c4663ec6e', 'login.succeeded', '01a21582-bab6-73f3-a7c2-80d5ac7fc0fa', '{}', '10.0.0.2', 'c78e4309-e966-45b1-90f2-96f2c23eeca9', '2026-11-26 01:40:18.739072+00', '01a21582-babe-75d1-a862-14fdc4acfc6b');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bac8-7568-b32a-decc4f72052d', 'user.registered', '01a21582-bac8-7568-b32a-decc4f72052d', '{"id": "01a21582-bac8-7568-b32a-decc4f72052d", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:18.762117Z", "updatedAt": "2026-11-26T01:40:18.762117Z", "displayName": "Linus", "preferences": {}, "emailVerified": false}', '10.0.0.3', 'fa58360e-bc16-425f-8af7-9757583d5c5c', '2026-11-26 01:40:18.762117+00', '01a21582-bacf-73e5-918c-17cd0e769ae5');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bac8-7568-b32a-decc4f72052d', 'user.email_verified', '01a21582-bac8-7568-b32a-decc4f72052d', '{}', '10.0.0.3', '11d59768-60c2-4cb8-8e34-ad0f74d2b901', '2026-11-26 01:40:18.98415+00', '01a21582-bbae-72bc-be2c-7ef6339fcec0');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bac8-7568-b32a-decc4f72052d', 'login.succeeded', '01a21582-bbbc-7182-9a57-41ec11963541', '{}', '10.0.0.3', '88a802cc-c270-467d-b70d-8772d8559fb9', '2026-11-26 01:40:19.001593+00', '01a21582-bbc3-7753-b85b-9d29c73f0cc4');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bbcd-770e-9936-fc0d3cbc9697', 'user.registered', '01a21582-bbcd-770e-9936-fc0d3cbc9697', '{"id": "01a21582-bbcd-770e-9936-fc0d3cbc9697", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:19.022724Z", "updatedAt": "2026-11-26T01:40:19.022724Z", "displayName": "Mary", "preferences": {}, "emailVerified": false}', '10.0.0.4', 'b0743796-79b7-4c43-9f33-1aebe8eaf845', '2026-11-26 01:40:19.022724+00', '01a21582-bbd3-72d7-bad8-1387865d8884');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bbcd-770e-9936-fc0d3cbc9697', 'user.email_verified', '01a21582-bbcd-770e-9936-fc0d3cbc9697', '{}', '10.0.0.4', '76801e2c-d32f-45c1-ae68-efa52f98e2c3', '2026-11-26 01:40:19.246336+00', '01a21582-bcb4-7491-98d7-3d3c3ed059bd');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bbcd-770e-9936-fc0d3cbc9697', 'login.succeeded', '01a21582-bcc4-721c-9470-243bbe2de092', '{}', '10.0.0.4', 'aa9ea7e9-dfad-403c-8616-086d1556ad7f', '2026-11-26 01:40:19.26385+00', '01a21582-bccc-773f-8096-bd9a31301500');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bcd6-73f9-a205-9b6d7ce9d739', 'user.registered', '01a21582-bcd6-73f9-a205-9b6d7ce9d739', '{"id": "01a21582-bcd6-73f9-a205-9b6d7ce9d739", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:19.288083Z", "updatedAt": "2026-11-26T01:40:19.288083Z", "displayName": "Joan", "preferences": {}, "emailVerified": false}', '10.0.0.5', 'c673aa6f-f707-4f4c-8ff4-ea1d6482b29f', '2026-11-26 01:40:19.288083+00', '01a21582-bcdd-7594-a0e2-86a85156dc2b');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bcd6-73f9-a205-9b6d7ce9d739', 'user.email_verified', '01a21582-bcd6-73f9-a205-9b6d7ce9d739', '{}', '10.0.0.5', 'a4dbb657-eaf2-4bdc-a9ac-f21eeee18677', '2026-11-26 01:40:19.512169+00', '01a21582-bdbf-7292-80ba-1d486f6cac2e');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bcd6-73f9-a205-9b6d7ce9d739', 'login.succeeded', '01a21582-bdcf-7090-a05c-3152a15e2d92', '{}', '10.0.0.5', '0be69958-4ce3-4c5c-98d8-ba4440503583', '2026-11-26 01:40:19.531671+00', '01a21582-bdd7-751a-a330-4fb159fd8f11');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bde2-72f8-8a20-dfc2d7713d84', 'user.registered', '01a21582-bde2-72f8-8a20-dfc2d7713d84', '{"id": "01a21582-bde2-72f8-8a20-dfc2d7713d84", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:19.556357Z", "updatedAt": "2026-11-26T01:40:19.556357Z", "displayName": "Eve", "preferences": {}, "emailVerified": false}', '10.0.0.6', 'e12b8d57-5f9f-4ec7-8434-5d03379769b5', '2026-11-26 01:40:19.556357+00', '01a21582-bdea-7202-9320-1eda9385f9c1');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bde2-72f8-8a20-dfc2d7713d84', 'user.email_verified', '01a21582-bde2-72f8-8a20-dfc2d7713d84', '{}', '10.0.0.6', '0a039a25-ce1a-4fe5-8fc3-8f92859a50a2', '2026-11-26 01:40:19.784932+00', '01a21582-bed0-7603-9cb9-5a10d04f7086');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bde2-72f8-8a20-dfc2d7713d84', 'login.succeeded', '01a21582-bee0-72df-9627-0d64752d6cba', '{}', '10.0.0.6', '54113bc3-38f6-4e2b-b397-315f7dd778d7', '2026-11-26 01:40:19.804637+00', '01a21582-bee8-743f-b4ab-57eb79c783a9');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'user.registered', '01a21582-bef3-7277-b2e3-6b9b4396f93d', '{"id": "01a21582-bef3-7277-b2e3-6b9b4396f93d", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:19.829075Z", "updatedAt": "2026-11-26T01:40:19.829075Z", "displayName": "Root", "preferences": {}, "emailVerified": false}', '10.0.0.7', 'f38690b8-82bb-4a87-892d-7cbe4bd0141c', '2026-11-26 01:40:19.829075+00', '01a21582-befa-74a9-aea8-94b42e391b4d');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'user.email_verified', '01a21582-bef3-7277-b2e3-6b9b4396f93d', '{}', '10.0.0.7', '19485a01-2bbd-4fe5-b435-1a355d97cb1e', '2026-11-26 01:40:20.052297+00', '01a21582-bfda-744d-b1ec-638c3e1f17a7');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'login.succeeded', '01a21582-bfe8-713d-b5f6-46408b8763e5', '{}', '10.0.0.7', '7b78cdd4-fa2d-4105-a2e5-0b52897e6f22', '2026-11-26 01:40:20.069278+00', '01a21582-bfef-76b2-8eba-671a05eed247');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bff8-76bb-82f0-86a4c7589b26', 'user.registered', '01a21582-bff8-76bb-82f0-86a4c7589b26', '{"id": "01a21582-bff8-76bb-82f0-86a4c7589b26", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:20.090725Z", "updatedAt": "2026-11-26T01:40:20.090725Z", "displayName": "Sam", "preferences": {}, "emailVerified": false}', '10.0.0.8', 'f1925b06-0eca-474a-80c2-cd9b06252a90', '2026-11-26 01:40:20.090725+00', '01a21582-c000-7197-bd1c-d1fdf8b3a5ca');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bff8-76bb-82f0-86a4c7589b26', 'user.email_verified', '01a21582-bff8-76bb-82f0-86a4c7589b26', '{}', '10.0.0.8', '291aadb4-b168-4619-88b8-382601532fca', '2026-11-26 01:40:20.316413+00', '01a21582-c0e3-778a-9706-2762117e9b54');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bff8-76bb-82f0-86a4c7589b26', 'login.succeeded', '01a21582-c0f2-7324-a6a3-128ae45ac4b9', '{}', '10.0.0.8', '41355c53-9af0-415b-b6ed-931dac45afb3', '2026-11-26 01:40:20.334778+00', '01a21582-c0fa-754b-9574-6b535c0472a2');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-c105-74e4-a102-ef3eda7385db', 'user.registered', '01a21582-c105-74e4-a102-ef3eda7385db', '{"id": "01a21582-c105-74e4-a102-ef3eda7385db", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:20.359028Z", "updatedAt": "2026-11-26T01:40:20.359028Z", "displayName": "Dora", "preferences": {}, "emailVerified": false}', '10.0.0.9', '1f467e65-17be-4a1f-87a7-7b98e13a41d4', '2026-11-26 01:40:20.359028+00', '01a21582-c10c-74ac-81a1-7f54f06b057e');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-c105-74e4-a102-ef3eda7385db', 'user.email_verified', '01a21582-c105-74e4-a102-ef3eda7385db', '{}', '10.0.0.9', 'c3391b1a-d07a-4fa8-8633-9c32a70c4283', '2026-11-26 01:40:20.582434+00', '01a21582-c1ec-72ec-96a8-00bf93f8e359');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-c105-74e4-a102-ef3eda7385db', 'login.succeeded', '01a21582-c1f8-709e-9947-0dc733e635ba', '{}', '10.0.0.9', '213f0a79-57ae-4cd3-8dd6-dce59bfa9ddd', '2026-11-26 01:40:20.597844+00', '01a21582-c1fd-7266-aaec-6ccef1e51d06');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-c205-7410-908a-a30d8da50083', 'user.registered', '01a21582-c205-7410-908a-a30d8da50083', '{"id": "01a21582-c205-7410-908a-a30d8da50083", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:20.615483Z", "updatedAt": "2026-11-26T01:40:20.615483Z", "displayName": "New", "preferences": {}, "emailVerified": false}', '10.0.0.10', 'e721430b-d641-4a09-ae56-867746622563', '2026-11-26 01:40:20.615483+00', '01a21582-c20c-7037-980d-17b7641ef518');
INSERT INTO public.audit_log VALUES (NULL, 'service', NULL, 'user.appointed', '01a21582-bef3-7277-b2e3-6b9b4396f93d', '{}', '', 'command line', '2026-11-26 01:40:20.873414+00', '01a21582-c311-7634-879c-e6ecc4a7366b');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'login.succeeded', '01a21582-c325-76f9-b704-b6dd53757ea1', '{}', '10.0.0.7', '28a05920-1353-4c26-9450-56ef37f7a3c4', '2026-11-26 01:40:20.898534+00', '01a21582-c32d-7646-9c41-ea4c9d499b89');
INSERT INTO public.audit_log VALUES (NULL, 'anonymous', NULL, 'password_reset.requested', '01a21582-bbcd-770e-9936-fc0d3cbc9697', '{}', '10.0.0.4', 'b37a27aa-4753-47c9-8628-02d268639d5e', '2026-11-26 01:40:41.992815+00', '01a21583-158c-72e7-93c7-986520bb1999');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'user.updated', '01a21582-b870-7748-a977-28b0e0fd939e', '{"id": "01a21582-b870-7748-a977-28b0e0fd939e", "bio": "Counts.", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "https://example.com/ada.png", "createdAt": "2026-11-26T01:40:18.164692Z", "updatedAt": "2026-11-26T01:40:20.917743Z", "displayName": "Ada", "lastLoginAt": "2026-11-26T01:40:18.430078Z", "preferences": {"theme": "dark"}, "emailVerified": true}', '10.0.0.1', '086a3da3-7d95-4944-adba-3a014a012056', '2026-11-26 01:40:20.92678+00', '01a21582-c346-7155-9785-7108a40b367a');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'user.deleted', '01a21582-c105-74e4-a102-ef3eda7385db', '{"id": "01a21582-c105-74e4-a102-ef3eda7385db", "bio": "", "role": "user", "email": "[redacted]", "status": "active", "avatarUrl": "", "createdAt": "2026-11-26T01:40:20.359028Z", "updatedAt": "2026-11-26T01:40:20.964438Z", "displayName": "Dora", "lastLoginAt": "2026-11-26T01:40:20.594351Z", "preferences": {}, "emailVerified": true}', '10.0.0.7', '7bdeb40e-24f0-444e-b44f-5a4da8fa8e37', '2026-11-26 01:40:20.967559+00', '01a21582-c375-7595-8252-b8c7b9bd80d7');
INSERT INTO public.audit_log VALUES ('01a21582-c3ae-7109-93bd-71a9dbdf562b', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'organization.created', '01a21582-c3ae-7109-93bd-71a9dbdf562b', '{"id": "01a21582-c3ae-7109-93bd-71a9dbdf562b", "name": "Difference Engines", "role": "", "slug": "difference-engines", "tier": "free", "createdAt": "2026-11-26T01:40:21.035873Z", "updatedAt": "2026-11-26T01:40:21.035873Z"}', '10.0.0.1', '6eae9a4a-f47c-461f-94a3-d1110ea9bf20', '2026-11-26 01:40:21.035873+00', '01a21582-c3b0-7633-96cd-453c286483e6');
INSERT INTO public.audit_log VALUES ('01a21582-c3da-7070-8666-e6330688a3a2', 'user', '01a21582-bde2-72f8-8a20-dfc2d7713d84', 'organization.created', '01a21582-c3da-7070-8666-e6330688a3a2', '{"id": "01a21582-c3da-7070-8666-e6330688a3a2", "name": "Eve''s", "role": "", "slug": "eve-s", "tier": "free", "createdAt": "2026-11-26T01:40:21.080697Z", "updatedAt": "2026-11-26T01:40:21.080697Z"}', '10.0.0.6', '3403b16a-846e-40c9-8a26-c634f5c3a49d', '2026-11-26 01:40:21.080697+00', '01a21582-c3dd-7119-a90d-4b224556852b');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'webhook.created', '01a21582-c464-71a5-a6a5-050ea7029bc6', '{"id": "01a21582-c464-71a5-a6a5-050ea7029bc6", "url": "http://127.0.0.1:18099/off", "enabled": true, "createdAt": "2026-11-26T01:40:21.221868Z", "updatedAt": "2026-11-26T01:40:21.221868Z", "eventTypes": ["key.created"], "description": "", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', 'e64ab666-7e9e-42e0-9350-b35d152cd171', '2026-11-26 01:40:21.221868+00', '01a21582-c468-7082-9ccd-801e3f86cd0a');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'invitation.created', '01a21582-c4b2-7220-9239-503406c86722', '{"id": "01a21582-c4b2-7220-9239-503406c86722", "role": "admin", "email": "[redacted]", "status": "pending", "createdAt": "2026-11-26T01:40:21.281666Z", "expiresAt": "2026-12-03T01:40:21.277617Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', '7a9f88b7-4170-4376-9594-127dbc6f4146', '2026-11-26 01:40:21.281666+00', '01a21582-c4be-74e5-923b-56799f436aaf');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'invitation.created', '01a21582-c5bd-7287-a835-872ae0dcde8d', '{"id": "01a21582-c5bd-7287-a835-872ae0dcde8d", "role": "member", "email": "[redacted]", "status": "pending", "createdAt": "2026-11-26T01:40:21.562961Z", "expiresAt": "2026-12-03T01:40:21.559506Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', 'b8eab09f-10a4-4ea5-97cb-64c0d40c9587', '2026-11-26 01:40:21.562961+00', '01a21582-c5c5-74de-b858-408650835456');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'invitation.created', '01a21582-c6bb-7152-9aea-f5af90eb8cc2', '{"id": "01a21582-c6bb-7152-9aea-f5af90eb8cc2", "role": "viewer", "email": "[redacted]", "status": "pending", "createdAt": "2026-11-26T01:40:21.816408Z", "expiresAt": "2026-12-03T01:40:21.811789Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', 'd81da770-395d-437d-9e0b-a7e273bbf6cc', '2026-11-26 01:40:21.816408+00', '01a21582-c6c3-729a-9bac-39e3bb2f01f8');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'invitation.created', '01a21582-c7bc-761b-a1b3-c8f4d56b3c24', '{"id": "01a21582-c7bc-761b-a1b3-c8f4d56b3c24", "role": "admin", "email": "[redacted]", "status": "pending", "createdAt": "2026-11-26T01:40:22.075066Z", "expiresAt": "2026-12-03T01:40:22.071598Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', 'bb8a31fa-eb8a-4a77-8cfb-15690743185a', '2026-11-26 01:40:22.075066+00', '01a21582-c7c3-737b-bd40-336d26e3de8b');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'invitation.created', '01a21582-c7e8-7547-9c2f-ee6e4d9fcca9', '{"id": "01a21582-c7e8-7547-9c2f-ee6e4d9fcca9", "role": "viewer", "email": "[redacted]", "status": "pending", "createdAt": "2026-11-26T01:40:22.118482Z", "expiresAt": "2026-12-03T01:40:22.114179Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', '6d2713bf-73e2-4a7b-a5e0-e93583fde71a', '2026-11-26 01:40:22.118482+00', '01a21582-c7f3-7036-8405-26998e502e74');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'invitation.created', '01a21582-c83c-768d-9809-e0ee23719d65', '{"id": "01a21582-c83c-768d-9809-e0ee23719d65", "role": "member", "email": "[redacted]", "status": "pending", "createdAt": "2026-11-26T01:40:22.201337Z", "expiresAt": "2026-12-03T01:40:22.197492Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', '1a936001-fbfc-46f3-8d6c-10cfc8d5ccb6', '2026-11-26 01:40:22.201337+00', '01a21582-c847-7439-9699-0bffddc3235d');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'key.created', '01a21582-c94d-704a-be1b-08d522d59882', '{"id": "01a21582-c94d-704a-be1b-08d522d59882", "name": "from one place", "limits": {}, "prefix": "pk_test_RIqNvA", "scopes": ["keys:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.479416Z", "createdBy": "01a21582-b870-7748-a977-28b0e0fd939e", "updatedAt": "2026-11-26T01:40:22.479416Z", "allowedCidrs": ["10.0.0.0/8", "2001:db8::/32"], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', 'f094a8a5-61f4-4e64-b2bf-c05c89263f63', '2026-11-26 01:40:22.479416+00', '01a21582-c952-7173-a169-bfcae566f168');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'key.rotated', '01a21582-c95e-77f4-9e5d-cfba0b22341e', '{"id": "01a21582-c95e-77f4-9e5d-cfba0b22341e", "name": "rotated", "limits": {}, "prefix": "pk_test_sVsBSS", "scopes": ["webhooks:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.496245Z", "createdBy": "01a21582-b870-7748-a977-28b0e0fd939e", "rotatedAt": "2026-11-26T01:40:22.511030Z", "updatedAt": "2026-11-26T01:40:22.516498Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e", "previousSecretExpiresAt": "2026-12-03T01:40:22.511030Z"}', '10.0.0.1', '9ea973b4-36fd-4f1e-b09a-21f8f8fa4b79', '2026-11-26 01:40:22.516498+00', '01a21582-c97f-7270-8535-2318bc3dd7d4');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b9b9-7239-878e-5f4c4663ec6e', 'key.revoked', '01a21582-c98e-76d8-9a7f-808b9ca9f759', '{"id": "01a21582-c98e-76d8-9a7f-808b9ca9f759", "name": "revoked", "limits": {}, "prefix": "pk_test_YOP84C", "scopes": ["keys:read"], "status": "revoked", "useCount": "0", "createdAt": "2026-11-26T01:40:22.544052Z", "createdBy": "01a21582-b9b9-7239-878e-5f4c4663ec6e", "revokedAt": "2026-11-26T01:40:22.562228Z", "updatedAt": "2026-11-26T01:40:22.566802Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.2', 'db4a0587-3b00-4a55-9fe6-57ec3ca1f608', '2026-11-26 01:40:22.566802+00', '01a21582-c9ae-702a-aa32-7927f6c5798d');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'key.imported', '01a21582-c9e5-74a6-89e0-34a73865aea3', '{"id": "01a21582-c9e5-74a6-89e0-34a73865aea3", "name": "imported", "limits": {}, "prefix": "old_live_hmac_01", "scopes": ["organization:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.623426Z", "createdBy": "01a21582-bef3-7277-b2e3-6b9b4396f93d", "updatedAt": "2026-11-26T01:40:22.623426Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.7', '29f20e91-af57-42ed-bc60-aca0748573ba', '2026-11-26 01:40:22.623426+00', '01a21582-c9f7-7566-b537-996494345f0d');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'user.updated', '01a21582-bff8-76bb-82f0-86a4c7589b26', '{"id": "01a21582-bff8-76bb-82f0-86a4c7589b26", "bio": "", "role": "user", "email": "[redacted]", "status": "suspended", "avatarUrl": "", "createdAt": "2026-11-26T01:40:20.090725Z", "updatedAt": "2026-11-26T01:40:20.942454Z", "displayName": "Sam", "lastLoginAt": "2026-11-26T01:40:20.330116Z", "preferences": {}, "emailVerified": true}', '10.0.0.7', 'ae7bb162-2bee-4e7b-be07-0b66afaa4591', '2026-11-26 01:40:20.946761+00', '01a21582-c35c-7427-9f4d-b70561f25645');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'organization.created', '01a21582-c388-77e6-8568-8183c26b355e', '{"id": "01a21582-c388-77e6-8568-8183c26b355e", "name": "Analytical Engines", "role": "", "slug": "analytical-engines", "tier": "free", "createdAt": "2026-11-26T01:40:20.995728Z", "updatedAt": "2026-11-26T01:40:20.995728Z"}', '10.0.0.1', 'a98c7a7c-a44d-4c02-b090-3b630053edcf', '2026-11-26 01:40:20.995728+00', '01a21582-c38c-712d-a9f6-000a297e421d');
INSERT INTO public.audit_log VALUES ('01a21582-c3ae-7109-93bd-71a9dbdf562b', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'organization.deleted', '01a21582-c3ae-7109-93bd-71a9dbdf562b', '{"id": "01a21582-c3ae-7109-93bd-71a9dbdf562b", "name": "Difference Engines", "role": "", "slug": "difference-engines", "tier": "free", "createdAt": "2026-11-26T01:40:21.035873Z", "updatedAt": "2026-11-26T01:40:21.035873Z"}', '10.0.0.1', 'be3580c1-bb35-491b-b2f7-58a05a8d9894', '2026-11-26 01:40:21.060193+00', '01a21582-c3c9-778b-a560-f13fd4bb00f6');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'organization.limits_updated', '01a21582-c388-77e6-8568-8183c26b355e', '{"pool": {}, "read": {"perMinute": 5000}, "write": {}, "delete": {}, "shadow": false, "timeZone": "Europe/London", "shadowRules": ["write.hour"], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e", "multiplierPercent": 200}', '10.0.0.7', 'afb0b196-46b1-4583-a1d0-a7b3cf4f3e4b', '2026-11-26 01:40:21.100379+00', '01a21582-c427-75af-a82f-9f5541ddee1c');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'webhook.created', '01a21582-c451-7745-9256-a189000bc3ac', '{"id": "01a21582-c451-7745-9256-a189000bc3ac", "url": "http://127.0.0.1:18099/events", "enabled": true, "createdAt": "2026-11-26T01:40:21.204945Z", "updatedAt": "2026-11-26T01:40:21.204945Z", "eventTypes": ["*"], "description": "everything", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', 'faba5432-314e-4521-b342-7e5ba85fd30b', '2026-11-26 01:40:21.204945+00', '01a21582-c458-770f-9b22-447541a7130f');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'webhook.updated', '01a21582-c464-71a5-a6a5-050ea7029bc6', '{"id": "01a21582-c464-71a5-a6a5-050ea7029bc6", "url": "http://127.0.0.1:18099/off", "enabled": false, "createdAt": "2026-11-26T01:40:21.221868Z", "updatedAt": "2026-11-26T01:40:21.244339Z", "eventTypes": ["key.created"], "description": "", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', 'a3b71c03-6f92-48b7-96d7-fb2962a4a364', '2026-11-26 01:40:21.244339+00', '01a21582-c485-71be-a142-7ccea63bcaf3');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b9b9-7239-878e-5f4c4663ec6e', 'member.added', '01a21582-b9b9-7239-878e-5f4c4663ec6e', '{"role": "admin", "email": "[redacted]", "userId": "01a21582-b9b9-7239-878e-5f4c4663ec6e", "joinedAt": "2026-11-26T01:40:21.535284Z", "displayName": "Grace"}', '10.0.0.2', 'adf3771e-6118-4c84-adfb-75f3d8cf6ca5', '2026-11-26 01:40:21.535284+00', '01a21582-c5aa-74b3-a13d-70338a8e3b0c');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-bac8-7568-b32a-decc4f72052d', 'member.added', '01a21582-bac8-7568-b32a-decc4f72052d', '{"role": "member", "email": "[redacted]", "userId": "01a21582-bac8-7568-b32a-decc4f72052d", "joinedAt": "2026-11-26T01:40:21.795241Z", "displayName": "Linus"}', '10.0.0.3', 'bd4a2a72-d7b0-4d64-a53b-55a969d548fe', '2026-11-26 01:40:21.795241+00', '01a21582-c6ab-70b9-8f2f-56009f240cfc');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-bbcd-770e-9936-fc0d3cbc9697', 'member.added', '01a21582-bbcd-770e-9936-fc0d3cbc9697', '{"role": "viewer", "email": "[redacted]", "userId": "01a21582-bbcd-770e-9936-fc0d3cbc9697", "joinedAt": "2026-11-26T01:40:22.051052Z", "displayName": "Mary"}', '10.0.0.4', '05d72d98-404b-40d1-af7b-4999c47b0bc8', '2026-11-26 01:40:22.051052+00', '01a21582-c7ac-7545-905a-4bf86b1cb78f');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'invitation.revoked', '01a21582-c7bc-761b-a1b3-c8f4d56b3c24', '{"id": "01a21582-c7bc-761b-a1b3-c8f4d56b3c24", "role": "admin", "email": "[redacted]", "status": "revoked", "createdAt": "2026-11-26T01:40:22.075066Z", "expiresAt": "2026-12-03T01:40:22.071598Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', 'db406972-7e13-4be5-ab48-ccdc7790b0e2', '2026-11-26 01:40:22.099447+00', '01a21582-c7d6-74cc-83ff-6cadec876a95');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'invitation.created', '01a21582-c81a-72a0-8db6-2918f757dbf5', '{"id": "01a21582-c81a-72a0-8db6-2918f757dbf5", "role": "member", "email": "[redacted]", "status": "pending", "createdAt": "2026-11-26T01:40:22.169Z", "expiresAt": "2026-12-03T01:40:22.164229Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', '529f4ab7-6717-46ef-b0fc-952440d89093', '2026-11-26 01:40:22.169+00', '01a21582-c823-73c4-b784-2b5b5de343f9');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'key.created', '01a21582-c934-7110-9250-3b198c794a07', '{"id": "01a21582-c934-7110-9250-3b198c794a07", "name": "ingest", "limits": {"perMinute": 600}, "prefix": "pk_test_k218TM", "scopes": ["keys:read", "organization:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.446854Z", "createdBy": "01a21582-b870-7748-a977-28b0e0fd939e", "updatedAt": "2026-11-26T01:40:22.446854Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', 'f457bd37-af8c-4d94-b3d7-a17affd03959', '2026-11-26 01:40:22.446854+00', '01a21582-c93d-73c0-b14c-bf8f693e5734');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'key.created', '01a21582-c95e-77f4-9e5d-cfba0b22341e', '{"id": "01a21582-c95e-77f4-9e5d-cfba0b22341e", "name": "rotated", "limits": {}, "prefix": "pk_test_Q2HPAA", "scopes": ["webhooks:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.496245Z", "createdBy": "01a21582-b870-7748-a977-28b0e0fd939e", "updatedAt": "2026-11-26T01:40:22.496245Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', '7dc1b696-6674-4afc-88b2-b4dc8be97a40', '2026-11-26 01:40:22.496245+00', '01a21582-c963-72f9-903d-5884519f6f31');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b9b9-7239-878e-5f4c4663ec6e', 'key.created', '01a21582-c98e-76d8-9a7f-808b9ca9f759', '{"id": "01a21582-c98e-76d8-9a7f-808b9ca9f759", "name": "revoked", "limits": {}, "prefix": "pk_test_YOP84C", "scopes": ["keys:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.544052Z", "createdBy": "01a21582-b9b9-7239-878e-5f4c4663ec6e", "updatedAt": "2026-11-26T01:40:22.544052Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.2', '01c95531-b100-44a2-af21-c2e4b5d6c8d5', '2026-11-26 01:40:22.544052+00', '01a21582-c998-7568-8921-dfbce06d8b80');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-bac8-7568-b32a-decc4f72052d', 'key.created', '01a21582-c9be-73ca-8cb2-16647a3256a1', '{"id": "01a21582-c9be-73ca-8cb2-16647a3256a1", "name": "expired", "limits": {}, "prefix": "pk_test_QLkSNp", "scopes": ["keys:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.592336Z", "createdBy": "01a21582-bac8-7568-b32a-decc4f72052d", "expiresAt": "2026-11-26T02:40:22.581720Z", "updatedAt": "2026-11-26T01:40:22.592336Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.3', 'd83518f9-d982-4b29-9fd0-a387f10b9749', '2026-11-26 01:40:22.592336+00', '01a21582-c9c3-77fc-9612-e74249e4d270');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'webhook.tested', '01a21582-de44-7452-8243-5c79370d5dc3', '{"id": "01a21582-de44-7452-8243-5c79370d5dc3", "status": "pending", "eventId": "01a21582-de44-7452-8243-5c780ae6b1c8", "payload": "", "attempts": [], "createdAt": "2026-11-26T01:40:27.843417Z", "eventType": "webhook.test", "webhookId": "01a21582-c451-7745-9256-a189000bc3ac", "attemptCount": 0, "nextAttemptAt": "2026-11-26T01:40:27.840185Z"}', '10.0.0.1', '5f9d1971-bea1-46ef-9a4d-f11b48e7c0b8', '2026-11-26 01:40:27.843417+00', '01a21582-de4c-7489-8c48-8fb4990d6d05');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bac8-7568-b32a-decc4f72052d', 'login.succeeded', '01a21583-1530-7599-ae81-95cb00eda219', '{}', '10.0.0.3', '459c5755-54da-4f33-ab49-deaa5dd688cf', '2026-11-26 01:40:41.901119+00', '01a21583-153b-7622-8077-a742cf1cc7ac');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-b9b9-7239-878e-5f4c4663ec6e', 'login.succeeded', '01a21583-155a-7407-a685-e45c223bd027', '{}', '10.0.0.2', '1d0b0a62-9640-4384-ac78-46ee07f30a30', '2026-11-26 01:40:41.94352+00', '01a21583-1564-74c7-a040-f68988aabe72');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'key.imported', '01a21582-c9e5-74a6-89e0-34a8eb159858', '{"id": "01a21582-c9e5-74a6-89e0-34a8eb159858", "name": "imported", "limits": {}, "prefix": "old_live_sha256_", "scopes": ["organization:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.623426Z", "createdBy": "01a21582-bef3-7277-b2e3-6b9b4396f93d", "updatedAt": "2026-11-26T01:40:22.623426Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.7', '29f20e91-af57-42ed-bc60-aca0748573ba', '2026-11-26 01:40:22.623426+00', '01a21582-c9f7-7566-b537-99652901a2a0');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'key.imported', '01a21582-c9e5-74a6-89e0-34a9692fb1db', '{"id": "01a21582-c9e5-74a6-89e0-34a9692fb1db", "name": "imported", "limits": {}, "prefix": "old_live_bcrypt_", "scopes": ["organization:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.623426Z", "createdBy": "01a21582-bef3-7277-b2e3-6b9b4396f93d", "updatedAt": "2026-11-26T01:40:22.623426Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.7', '29f20e91-af57-42ed-bc60-aca0748573ba', '2026-11-26 01:40:22.623426+00', '01a21582-c9f7-7566-b537-9966a3cacbea');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-bef3-7277-b2e3-6b9b4396f93d', 'key.imported', '01a21582-c9e5-74a6-89e0-34aa84424469', '{"id": "01a21582-c9e5-74a6-89e0-34aa84424469", "name": "imported", "limits": {}, "prefix": "old_live_used_01", "scopes": ["organization:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.623426Z", "createdBy": "01a21582-bef3-7277-b2e3-6b9b4396f93d", "updatedAt": "2026-11-26T01:40:22.623426Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.7', '29f20e91-af57-42ed-bc60-aca0748573ba', '2026-11-26 01:40:22.623426+00', '01a21582-c9f7-7566-b537-996796ab289b');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'organization.updated', '01a21582-c388-77e6-8568-8183c26b355e', '{"id": "01a21582-c388-77e6-8568-8183c26b355e", "name": "Analytical Engines Ltd", "role": "", "slug": "analytical-engines", "tier": "enterprise", "createdAt": "2026-11-26T01:40:20.995728Z", "updatedAt": "2026-11-26T01:40:41.655764Z"}', '10.0.0.1', '7007ee84-c380-4e95-af83-de4b83e96378', '2026-11-26 01:40:41.655764+00', '01a21583-1441-743f-8e6e-08cdc1f5e578');
INSERT INTO public.audit_log VALUES (NULL, 'user', '01a21582-bac8-7568-b32a-decc4f72052d', 'session.ended', '01a21583-1530-7599-ae81-95cb00eda219', '{}', '10.0.0.3', '371d933d-b693-49d3-a2b7-1c94eae7b013', '2026-11-26 01:40:41.927444+00', '01a21583-154b-71ce-88a9-0bce6418dedf');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'invitation.created', '01a21583-1c26-73e4-94a3-b88571d17ea2', '{"id": "01a21583-1c26-73e4-94a3-b88571d17ea2", "role": "viewer", "email": "[redacted]", "status": "pending", "createdAt": "2026-11-26T01:40:43.684395Z", "expiresAt": "2026-12-03T01:40:43.681262Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', 'f2a98101-3aa7-4ebd-ab58-cc770ad5ce06', '2026-11-26 01:40:43.684395+00', '01a21583-1c2c-770e-9c8f-ca763da1eb46');
INSERT INTO public.audit_log VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'user', '01a21582-b870-7748-a977-28b0e0fd939e', 'key.created', '01a21583-1c39-762a-8c7c-41eba7451e23', '{"id": "01a21583-1c39-762a-8c7c-41eba7451e23", "name": "not yet told", "limits": {}, "prefix": "pk_test_KzE1sK", "scopes": ["members:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:43.707169Z", "createdBy": "01a21582-b870-7748-a977-28b0e0fd939e", "updatedAt": "2026-11-26T01:40:43.707169Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '10.0.0.1', '68a162bc-8f37-4658-9bec-59c3c2e6034c', '2026-11-26 01:40:43.707169+00', '01a21583-1c3e-75d0-adda-4836d5208408');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c459-7218-bb3c-1574ec96fffb', 'webhook.created', '{"type":"webhook.created","timestamp":"2026-11-26T01:40:21.204945Z","id":"01a21582-c459-7218-bb3c-1574ec96fffb","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c451-7745-9256-a189000bc3ac","url":"http://127.0.0.1:18099/events","enabled":true,"createdAt":"2026-11-26T01:40:21.204945Z","updatedAt":"2026-11-26T01:40:21.204945Z","eventTypes":["*"],"description":"everything","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:21.220578+00', '2026-11-26 01:40:21.264054+00', '01a21582-c469-7284-a31f-6ecc10cc5489');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c7c5-700b-9ee7-e3524eb9ac54', 'invitation.created', '{"type":"invitation.created","timestamp":"2026-11-26T01:40:22.075066Z","id":"01a21582-c7c5-700b-9ee7-e3524eb9ac54","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c7bc-761b-a1b3-c8f4d56b3c24","role":"admin","email":"nobody@example.com","status":"pending","createdAt":"2026-11-26T01:40:22.075066Z","expiresAt":"2026-12-03T01:40:22.071598Z","invitedBy":"01a21582-b870-7748-a977-28b0e0fd939e","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.09755+00', '2026-11-26 01:40:22.154432+00', '01a21582-c7dd-74e7-9697-7dbb31be959d');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c46b-75f1-9abf-6e16064f85ff', 'webhook.created', '{"type":"webhook.created","timestamp":"2026-11-26T01:40:21.221868Z","id":"01a21582-c46b-75f1-9abf-6e16064f85ff","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c464-71a5-a6a5-050ea7029bc6","url":"http://127.0.0.1:18099/off","enabled":true,"createdAt":"2026-11-26T01:40:21.221868Z","updatedAt":"2026-11-26T01:40:21.221868Z","eventTypes":["key.created"],"description":"","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:21.252584+00', '2026-11-26 01:40:21.339047+00', '01a21582-c495-7588-9c43-11a9986b0cb3');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c6ac-7662-8001-5a79f3f67961', 'member.added', '{"type":"member.added","timestamp":"2026-11-26T01:40:21.795241Z","id":"01a21582-c6ac-7662-8001-5a79f3f67961","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"role":"member","email":"linus@example.com","userId":"01a21582-bac8-7568-b32a-decc4f72052d","joinedAt":"2026-11-26T01:40:21.795241Z","displayName":"Linus"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:21.813523+00', '2026-11-26 01:40:21.837841+00', '01a21582-c6bd-7178-9fba-141de0965736');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c486-77be-bd75-5cd811ddefe9', 'webhook.updated', '{"type":"webhook.updated","timestamp":"2026-11-26T01:40:21.244339Z","id":"01a21582-c486-77be-bd75-5cd811ddefe9","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c464-71a5-a6a5-050ea7029bc6","url":"http://127.0.0.1:18099/off","enabled":false,"createdAt":"2026-11-26T01:40:21.221868Z","updatedAt":"2026-11-26T01:40:21.244339Z","eventTypes":["key.created"],"description":"","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:21.324634+00', '2026-11-26 01:40:21.394873+00', '01a21582-c4e5-77ae-a985-316cad5bd7f9');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c4c0-751a-a9cb-e5d5caefc026', 'invitation.created', '{"type":"invitation.created","timestamp":"2026-11-26T01:40:21.281666Z","id":"01a21582-c4c0-751a-a9cb-e5d5caefc026","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c4b2-7220-9239-503406c86722","role":"admin","email":"grace@example.com","status":"pending","createdAt":"2026-11-26T01:40:21.281666Z","expiresAt":"2026-12-03T01:40:21.277617Z","invitedBy":"01a21582-b870-7748-a977-28b0e0fd939e","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:21.324634+00', '2026-11-26 01:40:21.39829+00', '01a21582-c4e5-77ae-a985-316d66f37f12');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c5ac-76d5-9a1e-24e08dfafd48', 'member.added', '{"type":"member.added","timestamp":"2026-11-26T01:40:21.535284Z","id":"01a21582-c5ac-76d5-9a1e-24e08dfafd48","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"role":"admin","email":"grace@example.com","userId":"01a21582-b9b9-7239-878e-5f4c4663ec6e","joinedAt":"2026-11-26T01:40:21.535284Z","displayName":"Grace"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:21.5562+00', '2026-11-26 01:40:21.573983+00', '01a21582-c5b8-74df-9e88-b8c753b93ae1');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c7ad-7108-950a-72fcbd4d4de7', 'member.added', '{"type":"member.added","timestamp":"2026-11-26T01:40:22.051052Z","id":"01a21582-c7ad-7108-950a-72fcbd4d4de7","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"role":"viewer","email":"mary@example.com","userId":"01a21582-bbcd-770e-9936-fc0d3cbc9697","joinedAt":"2026-11-26T01:40:22.051052Z","displayName":"Mary"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.073327+00', '2026-11-26 01:40:22.087721+00', '01a21582-c7bd-710b-99fd-33a40518215e');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c5c8-74b2-932c-97bdcaa297c2', 'invitation.created', '{"type":"invitation.created","timestamp":"2026-11-26T01:40:21.562961Z","id":"01a21582-c5c8-74b2-932c-97bdcaa297c2","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c5bd-7287-a835-872ae0dcde8d","role":"member","email":"linus@example.com","status":"pending","createdAt":"2026-11-26T01:40:21.562961Z","expiresAt":"2026-12-03T01:40:21.559506Z","invitedBy":"01a21582-b870-7748-a977-28b0e0fd939e","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:21.586779+00', '2026-11-26 01:40:21.616154+00', '01a21582-c5db-76f4-988a-8bd2de50d357');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c6c6-71e2-88c8-105bf314cf1d', 'invitation.created', '{"type":"invitation.created","timestamp":"2026-11-26T01:40:21.816408Z","id":"01a21582-c6c6-71e2-88c8-105bf314cf1d","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c6bb-7152-9aea-f5af90eb8cc2","role":"viewer","email":"mary@example.com","status":"pending","createdAt":"2026-11-26T01:40:21.816408Z","expiresAt":"2026-12-03T01:40:21.811789Z","invitedBy":"01a21582-b870-7748-a977-28b0e0fd939e","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:21.846326+00', '2026-11-26 01:40:21.879576+00', '01a21582-c6de-726e-90bf-07d0bd061689');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c7d8-72ae-a0a6-bdf7d4849f2c', 'invitation.revoked', '{"type":"invitation.revoked","timestamp":"2026-11-26T01:40:22.099447Z","id":"01a21582-c7d8-72ae-a0a6-bdf7d4849f2c","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c7bc-761b-a1b3-c8f4d56b3c24","role":"admin","email":"nobody@example.com","status":"revoked","createdAt":"2026-11-26T01:40:22.075066Z","expiresAt":"2026-12-03T01:40:22.071598Z","invitedBy":"01a21582-b870-7748-a977-28b0e0fd939e","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.136131+00', '2026-11-26 01:40:22.204485+00', '01a21582-c805-70a5-b9e2-dc7602dcb22e');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c84a-74b2-84da-0aabdbd4893b', 'invitation.created', '{"type":"invitation.created","timestamp":"2026-11-26T01:40:22.201337Z","id":"01a21582-c84a-74b2-84da-0aabdbd4893b","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c83c-768d-9809-e0ee23719d65","role":"member","email":"joan@example.com","status":"pending","createdAt":"2026-11-26T01:40:22.201337Z","expiresAt":"2026-12-03T01:40:22.197492Z","invitedBy":"01a21582-b870-7748-a977-28b0e0fd939e","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.220105+00', '2026-11-26 01:40:22.258951+00', '01a21582-c858-7246-ae31-1857a337a448');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c7f4-7475-a271-4f2306d49aeb', 'invitation.created', '{"type":"invitation.created","timestamp":"2026-11-26T01:40:22.118482Z","id":"01a21582-c7f4-7475-a271-4f2306d49aeb","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c7e8-7547-9c2f-ee6e4d9fcca9","role":"viewer","email":"late@example.com","status":"pending","createdAt":"2026-11-26T01:40:22.118482Z","expiresAt":"2026-12-03T01:40:22.114179Z","invitedBy":"01a21582-b870-7748-a977-28b0e0fd939e","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.136131+00', '2026-11-26 01:40:22.20604+00', '01a21582-c805-70a5-b9e2-dc772b7f874b');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c9c4-71a4-8c4c-82c28cc295ea', 'key.created', '{"type":"key.created","timestamp":"2026-11-26T01:40:22.592336Z","id":"01a21582-c9c4-71a4-8c4c-82c28cc295ea","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c9be-73ca-8cb2-16647a3256a1","name":"expired","limits":{},"prefix":"pk_test_QLkSNp","scopes":["keys:read"],"status":"active","useCount":"0","createdAt":"2026-11-26T01:40:22.592336Z","createdBy":"01a21582-bac8-7568-b32a-decc4f72052d","expiresAt":"2026-11-26T02:40:22.581720Z","updatedAt":"2026-11-26T01:40:22.592336Z","allowedCidrs":[],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.609476+00', '2026-11-26 01:40:22.643214+00', '01a21582-c9d8-7617-8282-37e5c7d24292');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c9af-74d3-8caa-82fdb60957af', 'key.revoked', '{"type":"key.revoked","timestamp":"2026-11-26T01:40:22.566802Z","id":"01a21582-c9af-74d3-8caa-82fdb60957af","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c98e-76d8-9a7f-808b9ca9f759","name":"revoked","limits":{},"prefix":"pk_test_YOP84C","scopes":["keys:read"],"status":"revoked","useCount":"0","createdAt":"2026-11-26T01:40:22.544052Z","createdBy":"01a21582-b9b9-7239-878e-5f4c4663ec6e","revokedAt":"2026-11-26T01:40:22.562228Z","updatedAt":"2026-11-26T01:40:22.566802Z","allowedCidrs":[],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.609476+00', '2026-11-26 01:40:22.639492+00', '01a21582-c9d8-7617-8282-37e4b7548aea');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c9fa-719b-aea1-bc5fb0f64342', 'key.imported', '{"type":"key.imported","timestamp":"2026-11-26T01:40:22.623426Z","id":"01a21582-c9fa-719b-aea1-bc5fb0f64342","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c9e5-74a6-89e0-34a73865aea3","name":"imported","limits":{},"prefix":"old_live_hmac_01","scopes":["organization:read"],"status":"active","useCount":"0","createdAt":"2026-11-26T01:40:22.623426Z","createdBy":"01a21582-bef3-7277-b2e3-6b9b4396f93d","updatedAt":"2026-11-26T01:40:22.623426Z","allowedCidrs":[],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.662076+00', '2026-11-26 01:40:22.683817+00', '01a21582-ca0a-77c3-b7a3-e38c58fe9698');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c825-76ab-a6fc-b53a4def2de7', 'invitation.created', '{"type":"invitation.created","timestamp":"2026-11-26T01:40:22.169000Z","id":"01a21582-c825-76ab-a6fc-b53a4def2de7","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c81a-72a0-8db6-2918f757dbf5","role":"member","email":"late@example.com","status":"pending","createdAt":"2026-11-26T01:40:22.169Z","expiresAt":"2026-12-03T01:40:22.164229Z","invitedBy":"01a21582-b870-7748-a977-28b0e0fd939e","organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.184929+00', '2026-11-26 01:40:22.223328+00', '01a21582-c839-743f-af75-ace43961b661');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c964-7174-ae7b-ff8504a3b92d', 'key.created', '{"type":"key.created","timestamp":"2026-11-26T01:40:22.496245Z","id":"01a21582-c964-7174-ae7b-ff8504a3b92d","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c95e-77f4-9e5d-cfba0b22341e","name":"rotated","limits":{},"prefix":"pk_test_Q2HPAA","scopes":["webhooks:read"],"status":"active","useCount":"0","createdAt":"2026-11-26T01:40:22.496245Z","createdBy":"01a21582-b870-7748-a977-28b0e0fd939e","updatedAt":"2026-11-26T01:40:22.496245Z","allowedCidrs":[],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.527217+00', '2026-11-26 01:40:22.572501+00', '01a21582-c98f-7794-9e00-e47506195263');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c999-7307-9742-f41609c8d1ab', 'key.created', '{"type":"key.created","timestamp":"2026-11-26T01:40:22.544052Z","id":"01a21582-c999-7307-9742-f41609c8d1ab","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c98e-76d8-9a7f-808b9ca9f759","name":"revoked","limits":{},"prefix":"pk_test_YOP84C","scopes":["keys:read"],"status":"active","useCount":"0","createdAt":"2026-11-26T01:40:22.544052Z","createdBy":"01a21582-b9b9-7239-878e-5f4c4663ec6e","updatedAt":"2026-11-26T01:40:22.544052Z","allowedCidrs":[],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.566934+00', '2026-11-26 01:40:22.613645+00', '01a21582-c9af-74f0-8340-2f42c142b5c7');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c940-7084-bd20-9b80b003ac8e', 'key.created', '{"type":"key.created","timestamp":"2026-11-26T01:40:22.446854Z","id":"01a21582-c940-7084-bd20-9b80b003ac8e","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c934-7110-9250-3b198c794a07","name":"ingest","limits":{"perMinute":600},"prefix":"pk_test_k218TM","scopes":["keys:read","organization:read"],"status":"active","useCount":"0","createdAt":"2026-11-26T01:40:22.446854Z","createdBy":"01a21582-b870-7748-a977-28b0e0fd939e","updatedAt":"2026-11-26T01:40:22.446854Z","allowedCidrs":[],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.474488+00', '2026-11-26 01:40:22.503323+00', '01a21582-c94e-764c-a13a-9e234e5e77ae');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c953-762c-a462-6d2ef56c739b', 'key.created', '{"type":"key.created","timestamp":"2026-11-26T01:40:22.479416Z","id":"01a21582-c953-762c-a462-6d2ef56c739b","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c94d-704a-be1b-08d522d59882","name":"from one place","limits":{},"prefix":"pk_test_RIqNvA","scopes":["keys:read"],"status":"active","useCount":"0","createdAt":"2026-11-26T01:40:22.479416Z","createdBy":"01a21582-b870-7748-a977-28b0e0fd939e","updatedAt":"2026-11-26T01:40:22.479416Z","allowedCidrs":["10.0.0.0/8","2001:db8::/32"],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.494759+00', '2026-11-26 01:40:22.531742+00', '01a21582-c965-7635-a6fc-3759bd4c47d4');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c981-745d-8d8d-6ee2e3912d4b', 'key.rotated', '{"type":"key.rotated","timestamp":"2026-11-26T01:40:22.516498Z","id":"01a21582-c981-745d-8d8d-6ee2e3912d4b","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c95e-77f4-9e5d-cfba0b22341e","name":"rotated","limits":{},"prefix":"pk_test_sVsBSS","scopes":["webhooks:read"],"status":"active","useCount":"0","createdAt":"2026-11-26T01:40:22.496245Z","createdBy":"01a21582-b870-7748-a977-28b0e0fd939e","rotatedAt":"2026-11-26T01:40:22.511030Z","updatedAt":"2026-11-26T01:40:22.516498Z","allowedCidrs":[],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e","previousSecretExpiresAt":"2026-12-03T01:40:22.511030Z"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.566934+00', '2026-11-26 01:40:22.611987+00', '01a21582-c9af-74f0-8340-2f41ac5292a6');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c9fa-719b-aea1-bc604b199fca', 'key.imported', '{"type":"key.imported","timestamp":"2026-11-26T01:40:22.623426Z","id":"01a21582-c9fa-719b-aea1-bc604b199fca","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c9e5-74a6-89e0-34a8eb159858","name":"imported","limits":{},"prefix":"old_live_sha256_","scopes":["organization:read"],"status":"active","useCount":"0","createdAt":"2026-11-26T01:40:22.623426Z","createdBy":"01a21582-bef3-7277-b2e3-6b9b4396f93d","updatedAt":"2026-11-26T01:40:22.623426Z","allowedCidrs":[],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.662076+00', '2026-11-26 01:40:22.68761+00', '01a21582-ca0a-77c3-b7a3-e38df827b575');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c9fa-719b-aea1-bc614663706a', 'key.imported', '{"type":"key.imported","timestamp":"2026-11-26T01:40:22.623426Z","id":"01a21582-c9fa-719b-aea1-bc614663706a","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c9e5-74a6-89e0-34a9692fb1db","name":"imported","limits":{},"prefix":"old_live_bcrypt_","scopes":["organization:read"],"status":"active","useCount":"0","createdAt":"2026-11-26T01:40:22.623426Z","createdBy":"01a21582-bef3-7277-b2e3-6b9b4396f93d","updatedAt":"2026-11-26T01:40:22.623426Z","allowedCidrs":[],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.662076+00', '2026-11-26 01:40:22.689043+00', '01a21582-ca0a-77c3-b7a3-e38e1e421f0c');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21583-1442-7288-b33a-a98005f74b46', 'organization.updated', '{"type":"organization.updated","timestamp":"2026-11-26T01:40:41.655764Z","id":"01a21583-1442-7288-b33a-a98005f74b46","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c388-77e6-8568-8183c26b355e","name":"Analytical Engines Ltd","role":"","slug":"analytical-engines","tier":"enterprise","createdAt":"2026-11-26T01:40:20.995728Z","updatedAt":"2026-11-26T01:40:41.655764Z"}}', 'pending', 1, 1, '2026-11-26 01:41:41.697305+00', NULL, '2026-11-26 01:40:41.679235+00', NULL, '01a21583-1455-709a-b2a5-d4e4c24c01e5');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-c9fa-719b-aea1-bc624d1e0f79', 'key.imported', '{"type":"key.imported","timestamp":"2026-11-26T01:40:22.623426Z","id":"01a21582-c9fa-719b-aea1-bc624d1e0f79","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c9e5-74a6-89e0-34aa84424469","name":"imported","limits":{},"prefix":"old_live_used_01","scopes":["organization:read"],"status":"active","useCount":"0","createdAt":"2026-11-26T01:40:22.623426Z","createdBy":"01a21582-bef3-7277-b2e3-6b9b4396f93d","updatedAt":"2026-11-26T01:40:22.623426Z","allowedCidrs":[],"organizationId":"01a21582-c388-77e6-8568-8183c26b355e"}}', 'delivered', 1, 1, NULL, NULL, '2026-11-26 01:40:22.662076+00', '2026-11-26 01:40:22.691403+00', '01a21582-ca0a-77c3-b7a3-e38f9ad7cb21');
INSERT INTO public.deliveries VALUES ('01a21582-c451-7745-9256-a189000bc3ac', '01a21582-c388-77e6-8568-8183c26b355e', '01a21582-de44-7452-8243-5c780ae6b1c8', 'webhook.test', '{"type":"webhook.test","timestamp":"2026-11-26T01:40:27.840185Z","id":"01a21582-de44-7452-8243-5c780ae6b1c8","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","data":{"id":"01a21582-c451-7745-9256-a189000bc3ac","organizationId":"01a21582-c388-77e6-8568-8183c26b355e","url":"http://127.0.0.1:18099/events","eventTypes":["*"],"description":"everything","enabled":true,"createdAt":"2026-11-26T01:40:21.204945Z","updatedAt":"2026-11-26T01:40:21.204945Z"}}', 'failed', 4, 4, NULL, NULL, '2026-11-26 01:40:27.843417+00', NULL, '01a21582-de44-7452-8243-5c79370d5dc3');
INSERT INTO public.emails VALUES ('ada@example.com', 'verify_email', NULL, 1, '2026-11-26 01:40:18.164692+00', NULL, '2026-11-26 01:40:18.299154+00', NULL, '01a21582-b885-7044-88bf-f289e73aefd7');
INSERT INTO public.emails VALUES ('grace@example.com', 'verify_email', NULL, 1, '2026-11-26 01:40:18.492742+00', NULL, '2026-11-26 01:40:18.53797+00', NULL, '01a21582-b9c6-7339-8c57-563d7b7e3ad2');
INSERT INTO public.emails VALUES ('linus@example.com', 'verify_email', NULL, 1, '2026-11-26 01:40:18.762117+00', NULL, '2026-11-26 01:40:18.798581+00', NULL, '01a21582-bacf-73e5-918c-17ce89397eef');
INSERT INTO public.emails VALUES ('mary@example.com', 'verify_email', NULL, 1, '2026-11-26 01:40:19.022724+00', NULL, '2026-11-26 01:40:19.062445+00', NULL, '01a21582-bbd4-70f4-a105-1d5e863b8c09');
INSERT INTO public.emails VALUES ('joan@example.com', 'verify_email', NULL, 1, '2026-11-26 01:40:19.288083+00', NULL, '2026-11-26 01:40:19.327128+00', NULL, '01a21582-bcde-7349-8d54-934f3a5446ee');
INSERT INTO public.emails VALUES ('eve@example.com', 'verify_email', NULL, 1, '2026-11-26 01:40:19.556357+00', NULL, '2026-11-26 01:40:19.598469+00', NULL, '01a21582-bdec-74b7-a400-bd1e7c6af5d6');
INSERT INTO public.emails VALUES ('root@example.com', 'verify_email', NULL, 1, '2026-11-26 01:40:19.829075+00', NULL, '2026-11-26 01:40:19.868921+00', NULL, '01a21582-befb-7286-8f5a-1447735b0d58');
INSERT INTO public.emails VALUES ('sam@example.com', 'verify_email', NULL, 1, '2026-11-26 01:40:20.090725+00', NULL, '2026-11-26 01:40:20.132714+00', NULL, '01a21582-c002-76a4-81e6-61a12933df49');
INSERT INTO public.emails VALUES ('dora@example.com', 'verify_email', NULL, 1, '2026-11-26 01:40:20.359028+00', NULL, '2026-11-26 01:40:20.396368+00', NULL, '01a21582-c10c-74ac-81a1-7f55c3788e2e');
INSERT INTO public.emails VALUES ('new@example.com', 'verify_email', NULL, 1, '2026-11-26 01:40:20.615483+00', NULL, '2026-11-26 01:40:20.646492+00', NULL, '01a21582-c20d-720b-aad2-55f83a745cd7');
INSERT INTO public.emails VALUES ('grace@example.com', 'invitation', NULL, 1, '2026-11-26 01:40:21.281666+00', NULL, '2026-11-26 01:40:21.422516+00', NULL, '01a21582-c4bf-73c0-a504-b92a8281ee87');
INSERT INTO public.emails VALUES ('linus@example.com', 'invitation', NULL, 1, '2026-11-26 01:40:21.562961+00', NULL, '2026-11-26 01:40:21.631059+00', NULL, '01a21582-c5c7-74e8-a7f9-53e90c7fa254');
INSERT INTO public.emails VALUES ('mary@example.com', 'invitation', NULL, 1, '2026-11-26 01:40:21.816408+00', NULL, '2026-11-26 01:40:21.885528+00', NULL, '01a21582-c6c5-7083-8574-2b94f7bc86a1');
INSERT INTO public.emails VALUES ('nobody@example.com', 'invitation', NULL, 1, '2026-11-26 01:40:22.075066+00', NULL, '2026-11-26 01:40:22.181706+00', NULL, '01a21582-c7c4-761f-aa77-8ff3bf940c75');
INSERT INTO public.emails VALUES ('late@example.com', 'invitation', NULL, 1, '2026-11-26 01:40:22.118482+00', NULL, '2026-11-26 01:40:22.274513+00', NULL, '01a21582-c7f4-7475-a271-4f228345a097');
INSERT INTO public.emails VALUES ('late@example.com', 'invitation', NULL, 1, '2026-11-26 01:40:22.169+00', NULL, '2026-11-26 01:40:22.276758+00', NULL, '01a21582-c824-76d4-a9c5-0b68125a8551');
INSERT INTO public.emails VALUES ('joan@example.com', 'invitation', NULL, 1, '2026-11-26 01:40:22.201337+00', NULL, '2026-11-26 01:40:22.297355+00', NULL, '01a21582-c849-75a7-aa12-ffb78d98a897');
INSERT INTO public.emails VALUES ('mary@example.com', 'reset_password', NULL, 1, '2026-11-26 01:40:41.992815+00', NULL, '2026-11-26 01:40:42.065561+00', NULL, '01a21583-158a-7772-927d-d386e207762b');
INSERT INTO public.emails VALUES ('waiting@example.com', 'invitation', '\x14715c767ac8ac89f691725225ee4c0e9edbd52f81f27df831e1f087dd49c112f4b8c1224933d2f3f8a82e46eb212a1ead6bad8448c2be8b0d28be4c5b1c30a706bf3563997440d31d3dc51ed5dcbdde5bbb3f500c463442cce926557900c09bc9b3c54bb4869f693fb016468e9dd262ea41e6ff9b0f13ff1eaf30c6c7a900b09186279cda49193ec98e7a85297e7773db848bf077dbd47254c99f60bd15ab8d9324352afaaf897d6d9fb3be', 0, '2026-11-26 01:40:43.684395+00', '2026-11-26 01:40:43.684395+00', NULL, NULL, '01a21583-1c2e-7408-a651-29a0457562ba');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'organization.created', '{"id": "01a21582-c388-77e6-8568-8183c26b355e", "name": "Analytical Engines", "role": "", "slug": "analytical-engines", "tier": "free", "createdAt": "2026-11-26T01:40:20.995728Z", "updatedAt": "2026-11-26T01:40:20.995728Z"}', '2026-11-26 01:40:20.995728+00', '2026-11-26 01:40:21.020448+00', '01a21582-c38e-760d-bd10-b022616141cb');
INSERT INTO public.events VALUES ('01a21582-c3ae-7109-93bd-71a9dbdf562b', 'organization.created', '{"id": "01a21582-c3ae-7109-93bd-71a9dbdf562b", "name": "Difference Engines", "role": "", "slug": "difference-engines", "tier": "free", "createdAt": "2026-11-26T01:40:21.035873Z", "updatedAt": "2026-11-26T01:40:21.035873Z"}', '2026-11-26 01:40:21.035873+00', '2026-11-26 01:40:21.054543+00', '01a21582-c3b1-7176-a5ac-d025398dabd6');
INSERT INTO public.events VALUES ('01a21582-c3da-7070-8666-e6330688a3a2', 'organization.created', '{"id": "01a21582-c3da-7070-8666-e6330688a3a2", "name": "Eve''s", "role": "", "slug": "eve-s", "tier": "free", "createdAt": "2026-11-26T01:40:21.080697Z", "updatedAt": "2026-11-26T01:40:21.080697Z"}', '2026-11-26 01:40:21.080697+00', '2026-11-26 01:40:21.09482+00', '01a21582-c3de-77cc-bacd-f0082c2e7497');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'webhook.created', '{"id": "01a21582-c451-7745-9256-a189000bc3ac", "url": "http://127.0.0.1:18099/events", "enabled": true, "createdAt": "2026-11-26T01:40:21.204945Z", "updatedAt": "2026-11-26T01:40:21.204945Z", "eventTypes": ["*"], "description": "everything", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:21.204945+00', '2026-11-26 01:40:21.217767+00', '01a21582-c459-7218-bb3c-1574ec96fffb');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'webhook.created', '{"id": "01a21582-c464-71a5-a6a5-050ea7029bc6", "url": "http://127.0.0.1:18099/off", "enabled": true, "createdAt": "2026-11-26T01:40:21.221868Z", "updatedAt": "2026-11-26T01:40:21.221868Z", "eventTypes": ["key.created"], "description": "", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:21.221868+00', '2026-11-26 01:40:21.251187+00', '01a21582-c46b-75f1-9abf-6e16064f85ff');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'webhook.updated', '{"id": "01a21582-c464-71a5-a6a5-050ea7029bc6", "url": "http://127.0.0.1:18099/off", "enabled": false, "createdAt": "2026-11-26T01:40:21.221868Z", "updatedAt": "2026-11-26T01:40:21.244339Z", "eventTypes": ["key.created"], "description": "", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:21.244339+00', '2026-11-26 01:40:21.323473+00', '01a21582-c486-77be-bd75-5cd811ddefe9');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'invitation.created', '{"id": "01a21582-c4b2-7220-9239-503406c86722", "role": "admin", "email": "grace@example.com", "status": "pending", "createdAt": "2026-11-26T01:40:21.281666Z", "expiresAt": "2026-12-03T01:40:21.277617Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:21.281666+00', '2026-11-26 01:40:21.323473+00', '01a21582-c4c0-751a-a9cb-e5d5caefc026');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'member.added', '{"role": "admin", "email": "grace@example.com", "userId": "01a21582-b9b9-7239-878e-5f4c4663ec6e", "joinedAt": "2026-11-26T01:40:21.535284Z", "displayName": "Grace"}', '2026-11-26 01:40:21.535284+00', '2026-11-26 01:40:21.554975+00', '01a21582-c5ac-76d5-9a1e-24e08dfafd48');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'invitation.created', '{"id": "01a21582-c5bd-7287-a835-872ae0dcde8d", "role": "member", "email": "linus@example.com", "status": "pending", "createdAt": "2026-11-26T01:40:21.562961Z", "expiresAt": "2026-12-03T01:40:21.559506Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:21.562961+00', '2026-11-26 01:40:21.585771+00', '01a21582-c5c8-74b2-932c-97bdcaa297c2');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'member.added', '{"role": "member", "email": "linus@example.com", "userId": "01a21582-bac8-7568-b32a-decc4f72052d", "joinedAt": "2026-11-26T01:40:21.795241Z", "displayName": "Linus"}', '2026-11-26 01:40:21.795241+00', '2026-11-26 01:40:21.812314+00', '01a21582-c6ac-7662-8001-5a79f3f67961');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'invitation.created', '{"id": "01a21582-c6bb-7152-9aea-f5af90eb8cc2", "role": "viewer", "email": "mary@example.com", "status": "pending", "createdAt": "2026-11-26T01:40:21.816408Z", "expiresAt": "2026-12-03T01:40:21.811789Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:21.816408+00', '2026-11-26 01:40:21.842164+00', '01a21582-c6c6-71e2-88c8-105bf314cf1d');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'member.added', '{"role": "viewer", "email": "mary@example.com", "userId": "01a21582-bbcd-770e-9936-fc0d3cbc9697", "joinedAt": "2026-11-26T01:40:22.051052Z", "displayName": "Mary"}', '2026-11-26 01:40:22.051052+00', '2026-11-26 01:40:22.071454+00', '01a21582-c7ad-7108-950a-72fcbd4d4de7');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'invitation.created', '{"id": "01a21582-c7bc-761b-a1b3-c8f4d56b3c24", "role": "admin", "email": "nobody@example.com", "status": "pending", "createdAt": "2026-11-26T01:40:22.075066Z", "expiresAt": "2026-12-03T01:40:22.071598Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.075066+00', '2026-11-26 01:40:22.095654+00', '01a21582-c7c5-700b-9ee7-e3524eb9ac54');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'invitation.revoked', '{"id": "01a21582-c7bc-761b-a1b3-c8f4d56b3c24", "role": "admin", "email": "nobody@example.com", "status": "revoked", "createdAt": "2026-11-26T01:40:22.075066Z", "expiresAt": "2026-12-03T01:40:22.071598Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.099447+00', '2026-11-26 01:40:22.135256+00', '01a21582-c7d8-72ae-a0a6-bdf7d4849f2c');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'invitation.created', '{"id": "01a21582-c7e8-7547-9c2f-ee6e4d9fcca9", "role": "viewer", "email": "late@example.com", "status": "pending", "createdAt": "2026-11-26T01:40:22.118482Z", "expiresAt": "2026-12-03T01:40:22.114179Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.118482+00', '2026-11-26 01:40:22.135256+00', '01a21582-c7f4-7475-a271-4f2306d49aeb');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'invitation.created', '{"id": "01a21582-c81a-72a0-8db6-2918f757dbf5", "role": "member", "email": "late@example.com", "status": "pending", "createdAt": "2026-11-26T01:40:22.169Z", "expiresAt": "2026-12-03T01:40:22.164229Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.169+00', '2026-11-26 01:40:22.184137+00', '01a21582-c825-76ab-a6fc-b53a4def2de7');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'invitation.created', '{"id": "01a21582-c83c-768d-9809-e0ee23719d65", "role": "member", "email": "joan@example.com", "status": "pending", "createdAt": "2026-11-26T01:40:22.201337Z", "expiresAt": "2026-12-03T01:40:22.197492Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.201337+00', '2026-11-26 01:40:22.219603+00', '01a21582-c84a-74b2-84da-0aabdbd4893b');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.created', '{"id": "01a21582-c934-7110-9250-3b198c794a07", "name": "ingest", "limits": {"perMinute": 600}, "prefix": "pk_test_k218TM", "scopes": ["keys:read", "organization:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.446854Z", "createdBy": "01a21582-b870-7748-a977-28b0e0fd939e", "updatedAt": "2026-11-26T01:40:22.446854Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.446854+00', '2026-11-26 01:40:22.472278+00', '01a21582-c940-7084-bd20-9b80b003ac8e');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.revoked', '{"id": "01a21582-c98e-76d8-9a7f-808b9ca9f759", "name": "revoked", "limits": {}, "prefix": "pk_test_YOP84C", "scopes": ["keys:read"], "status": "revoked", "useCount": "0", "createdAt": "2026-11-26T01:40:22.544052Z", "createdBy": "01a21582-b9b9-7239-878e-5f4c4663ec6e", "revokedAt": "2026-11-26T01:40:22.562228Z", "updatedAt": "2026-11-26T01:40:22.566802Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.566802+00', '2026-11-26 01:40:22.606744+00', '01a21582-c9af-74d3-8caa-82fdb60957af');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.created', '{"id": "01a21582-c94d-704a-be1b-08d522d59882", "name": "from one place", "limits": {}, "prefix": "pk_test_RIqNvA", "scopes": ["keys:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.479416Z", "createdBy": "01a21582-b870-7748-a977-28b0e0fd939e", "updatedAt": "2026-11-26T01:40:22.479416Z", "allowedCidrs": ["10.0.0.0/8", "2001:db8::/32"], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.479416+00', '2026-11-26 01:40:22.492803+00', '01a21582-c953-762c-a462-6d2ef56c739b');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.created', '{"id": "01a21582-c95e-77f4-9e5d-cfba0b22341e", "name": "rotated", "limits": {}, "prefix": "pk_test_Q2HPAA", "scopes": ["webhooks:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.496245Z", "createdBy": "01a21582-b870-7748-a977-28b0e0fd939e", "updatedAt": "2026-11-26T01:40:22.496245Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.496245+00', '2026-11-26 01:40:22.526103+00', '01a21582-c964-7174-ae7b-ff8504a3b92d');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.rotated', '{"id": "01a21582-c95e-77f4-9e5d-cfba0b22341e", "name": "rotated", "limits": {}, "prefix": "pk_test_sVsBSS", "scopes": ["webhooks:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.496245Z", "createdBy": "01a21582-b870-7748-a977-28b0e0fd939e", "rotatedAt": "2026-11-26T01:40:22.511030Z", "updatedAt": "2026-11-26T01:40:22.516498Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e", "previousSecretExpiresAt": "2026-12-03T01:40:22.511030Z"}', '2026-11-26 01:40:22.516498+00', '2026-11-26 01:40:22.565829+00', '01a21582-c981-745d-8d8d-6ee2e3912d4b');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.created', '{"id": "01a21582-c98e-76d8-9a7f-808b9ca9f759", "name": "revoked", "limits": {}, "prefix": "pk_test_YOP84C", "scopes": ["keys:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.544052Z", "createdBy": "01a21582-b9b9-7239-878e-5f4c4663ec6e", "updatedAt": "2026-11-26T01:40:22.544052Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.544052+00', '2026-11-26 01:40:22.565829+00', '01a21582-c999-7307-9742-f41609c8d1ab');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.created', '{"id": "01a21582-c9be-73ca-8cb2-16647a3256a1", "name": "expired", "limits": {}, "prefix": "pk_test_QLkSNp", "scopes": ["keys:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.592336Z", "createdBy": "01a21582-bac8-7568-b32a-decc4f72052d", "expiresAt": "2026-11-26T02:40:22.581720Z", "updatedAt": "2026-11-26T01:40:22.592336Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.592336+00', '2026-11-26 01:40:22.606744+00', '01a21582-c9c4-71a4-8c4c-82c28cc295ea');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'webhook.test', '{"id": "01a21582-c451-7745-9256-a189000bc3ac", "url": "http://127.0.0.1:18099/events", "enabled": true, "createdAt": "2026-11-26T01:40:21.204945Z", "updatedAt": "2026-11-26T01:40:21.204945Z", "eventTypes": ["*"], "description": "everything", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:27.840185+00', '2026-11-26 01:40:27.840185+00', '01a21582-de44-7452-8243-5c780ae6b1c8');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.imported', '{"id": "01a21582-c9e5-74a6-89e0-34a73865aea3", "name": "imported", "limits": {}, "prefix": "old_live_hmac_01", "scopes": ["organization:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.623426Z", "createdBy": "01a21582-bef3-7277-b2e3-6b9b4396f93d", "updatedAt": "2026-11-26T01:40:22.623426Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.623426+00', '2026-11-26 01:40:22.660909+00', '01a21582-c9fa-719b-aea1-bc5fb0f64342');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.imported', '{"id": "01a21582-c9e5-74a6-89e0-34a8eb159858", "name": "imported", "limits": {}, "prefix": "old_live_sha256_", "scopes": ["organization:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.623426Z", "createdBy": "01a21582-bef3-7277-b2e3-6b9b4396f93d", "updatedAt": "2026-11-26T01:40:22.623426Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.623426+00', '2026-11-26 01:40:22.660909+00', '01a21582-c9fa-719b-aea1-bc604b199fca');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.imported', '{"id": "01a21582-c9e5-74a6-89e0-34a9692fb1db", "name": "imported", "limits": {}, "prefix": "old_live_bcrypt_", "scopes": ["organization:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.623426Z", "createdBy": "01a21582-bef3-7277-b2e3-6b9b4396f93d", "updatedAt": "2026-11-26T01:40:22.623426Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.623426+00', '2026-11-26 01:40:22.660909+00', '01a21582-c9fa-719b-aea1-bc614663706a');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.imported', '{"id": "01a21582-c9e5-74a6-89e0-34aa84424469", "name": "imported", "limits": {}, "prefix": "old_live_used_01", "scopes": ["organization:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:22.623426Z", "createdBy": "01a21582-bef3-7277-b2e3-6b9b4396f93d", "updatedAt": "2026-11-26T01:40:22.623426Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:22.623426+00', '2026-11-26 01:40:22.660909+00', '01a21582-c9fa-719b-aea1-bc624d1e0f79');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'organization.updated', '{"id": "01a21582-c388-77e6-8568-8183c26b355e", "name": "Analytical Engines Ltd", "role": "", "slug": "analytical-engines", "tier": "enterprise", "createdAt": "2026-11-26T01:40:20.995728Z", "updatedAt": "2026-11-26T01:40:41.655764Z"}', '2026-11-26 01:40:41.655764+00', '2026-11-26 01:40:41.677893+00', '01a21583-1442-7288-b33a-a98005f74b46');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'invitation.created', '{"id": "01a21583-1c26-73e4-94a3-b88571d17ea2", "role": "viewer", "email": "waiting@example.com", "status": "pending", "createdAt": "2026-11-26T01:40:43.684395Z", "expiresAt": "2026-12-03T01:40:43.681262Z", "invitedBy": "01a21582-b870-7748-a977-28b0e0fd939e", "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:43.684395+00', NULL, '01a21583-1c2f-709a-9a00-a72d0165d3ee');
INSERT INTO public.events VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'key.created', '{"id": "01a21583-1c39-762a-8c7c-41eba7451e23", "name": "not yet told", "limits": {}, "prefix": "pk_test_KzE1sK", "scopes": ["members:read"], "status": "active", "useCount": "0", "createdAt": "2026-11-26T01:40:43.707169Z", "createdBy": "01a21582-b870-7748-a977-28b0e0fd939e", "updatedAt": "2026-11-26T01:40:43.707169Z", "allowedCidrs": [], "organizationId": "01a21582-c388-77e6-8568-8183c26b355e"}', '2026-11-26 01:40:43.707169+00', NULL, '01a21583-1c40-7718-a8b6-452936b515ef');
INSERT INTO public.idempotency_keys VALUES ('\x9b028357a4cf2302a5b071147437061d7e3ef68644adbbe0d8981ab5be6ed066', '\x4087bf31a233522a0bb0c3259349a96563c128da0b14e3673f6b35e85e0fda53', '/portico.keys.v1.ApiKeyService/CreateApiKey', '\x0ed3fddb53d635c972b5769d5df5cade16ab514f04c76768564feb13948cabf53d40745aced441a0370a7ad4d680180c3c40b548dc3feeba9e3fd533508c0bfbe5e32d921f3a26e63b9b09ecc56c8756b04fe18c1d00157e42b245ba5e502060bf7835058f8c7a3f72262d83d04c8e61004062083fca532a2c1c34b399577dc087456c487f792e60d20e648178f6b4a737152b09c135784b7afe1c4a30830e2cd54af9b5bfbc05f561d3aa4c2d0ea784ae39833b6befe8bb430053dd4693a4d218da8f6814adb99e5ade0332b21bf4cc3a871cd30b88d5963e15ca278100bbd8ac935489c5381e8ef0ca066c16576fb2562e7c32fb30fa5762daa41bd664ef3b447b3dac05e2a86c577d51e4856dce179afefce1330db4e3ae721dcffffebc70b64481704dd0449af7336931f999a1425dee7dd182f4ce9324ae65b10dc1e9252eaa4c5da59605a245fd26e1e8d13bb846d744c6ecd928db11a5dd7fb65e0780c08582ce2a22', '2026-11-27 01:40:22.437148+00');
INSERT INTO public.idempotency_keys VALUES ('\x4c24e673431268a6620ddda4f1e391673ad36321e33ba6c718c9e13ad249b3e7', '\x089c0ba519ec81a37c00de8074661c261d583e12ba257c7c9493f651e6831986', '/portico.keys.v1.ApiKeyService/RecordApiKeyUses', '\x50a3b92950ea4ece1009de237da73d8358a6af4103137827d16ed7a9fe57a2', '2026-11-27 01:40:27.729497+00');
INSERT INTO public.imported_secrets VALUES ('01a21582-c9e5-74a6-89e0-34a73865aea3', 'old_live_hmac_01', 'hmac_sha256', '\xdaf786c0c54679bd74d9c3f5d52107ed70ce790e0926eb3951a9158925e3c8bf8f7507feeacfec280bb8caea2f521a7d2431b7434b86d109e670b88c2286da3834f4eb93091ce1ed8b9c81168104babab4942b5a65ae');
INSERT INTO public.imported_secrets VALUES ('01a21582-c9e5-74a6-89e0-34a8eb159858', 'old_live_sha256_', 'sha256', '\x8b0b786f58bb54cfb67b011fcf13bcd1368f73601e552ad3ac9602966c189a5bd0930bc19ad5b322b3337327f853ae97801380f387c83a95ec60837b');
INSERT INTO public.imported_secrets VALUES ('01a21582-c9e5-74a6-89e0-34a9692fb1db', 'old_live_bcrypt_', 'bcrypt', '\x634c9680f3b0a038525d3c06cc3098129e9cb996978939045bbadd232a9486d0687899d759e3ca54148ea9db26f021f6894163a96a02a112079429a3f0172a35a0e0b1f6be6326b3c202b40e86c41e7dfc7e6e1b5143a1e2');
INSERT INTO public.imported_secrets VALUES ('01a21582-c9e5-74a6-89e0-34aa84424469', 'old_live_used_01', NULL, NULL);
INSERT INTO public.invitations VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'grace@example.com', 'admin', '\x675e012ce7f03e3e8a1227edaac5594843a4608e855a466e2a0d8b2bdfb0c2cc', '01a21582-b870-7748-a977-28b0e0fd939e', 'accepted', '2026-12-03 01:40:21.277617+00', '2026-11-26 01:40:21.530129+00', NULL, '01a21582-c4b2-7220-9239-503406c86722', '2026-11-26 01:40:21.281666+00', '2026-11-26 01:40:21.535284+00', 2);
INSERT INTO public.invitations VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'linus@example.com', 'member', '\xad7ca7a6fef67b019dbd1465ce2d8b3598845d3e2f09b2fb0881cad6eca111d1', '01a21582-b870-7748-a977-28b0e0fd939e', 'accepted', '2026-12-03 01:40:21.559506+00', '2026-11-26 01:40:21.791995+00', NULL, '01a21582-c5bd-7287-a835-872ae0dcde8d', '2026-11-26 01:40:21.562961+00', '2026-11-26 01:40:21.795241+00', 2);
INSERT INTO public.invitations VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'mary@example.com', 'viewer', '\x31cd5ed05f0b9ab5fa50ac52155a8788b06ae5bc5aa66adbdedbe39f540ef879', '01a21582-b870-7748-a977-28b0e0fd939e', 'accepted', '2026-12-03 01:40:21.811789+00', '2026-11-26 01:40:22.047704+00', NULL, '01a21582-c6bb-7152-9aea-f5af90eb8cc2', '2026-11-26 01:40:21.816408+00', '2026-11-26 01:40:22.051052+00', 2);
INSERT INTO public.invitations VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'nobody@example.com', 'admin', '\x00aacd5d08494ea53df0849cee66dfa9108985e9aed63179eaedb08ba2a5b3ab', '01a21582-b870-7748-a977-28b0e0fd939e', 'revoked', '2026-12-03 01:40:22.071598+00', NULL, '2026-11-26 01:40:22.095264+00', '01a21582-c7bc-761b-a1b3-c8f4d56b3c24', '2026-11-26 01:40:22.075066+00', '2026-11-26 01:40:22.099447+00', 2);
INSERT INTO public.invitations VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'late@example.com', 'viewer', '\xb68b7a95c8dd6714233ae42d620cc3d218d0596c0096861ea2ca9e42702d6e59', '01a21582-b870-7748-a977-28b0e0fd939e', 'expired', '2026-11-25 01:40:22.147402+00', NULL, NULL, '01a21582-c7e8-7547-9c2f-ee6e4d9fcca9', '2026-11-18 01:40:22.118482+00', '2026-11-26 01:40:22.169+00', 2);
INSERT INTO public.invitations VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'late@example.com', 'member', '\x054437f702dfc63bc2eca5c38a141a5f075610141f05275327ead7274715fed7', '01a21582-b870-7748-a977-28b0e0fd939e', 'pending', '2026-12-03 01:40:22.164229+00', NULL, NULL, '01a21582-c81a-72a0-8db6-2918f757dbf5', '2026-11-26 01:40:22.169+00', '2026-11-26 01:40:22.169+00', 1);
INSERT INTO public.invitations VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'joan@example.com', 'member', '\x18816030077fefd676afeb3999ce87d3571fdc9643095e7a378e0fd04713d8db', '01a21582-b870-7748-a977-28b0e0fd939e', 'pending', '2026-12-03 01:40:22.197492+00', NULL, NULL, '01a21582-c83c-768d-9809-e0ee23719d65', '2026-11-26 01:40:22.201337+00', '2026-11-26 01:40:22.201337+00', 1);
INSERT INTO public.invitations VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'waiting@example.com', 'viewer', '\x78126b96c2897e1bf1271df29b42777525eee1d2d8975987c84811d0eb138058', '01a21582-b870-7748-a977-28b0e0fd939e', 'pending', '2026-12-03 01:40:43.681262+00', NULL, NULL, '01a21583-1c26-73e4-94a3-b88571d17ea2', '2026-11-26 01:40:43.684395+00', '2026-11-26 01:40:43.684395+00', 1);
INSERT INTO public.memberships VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-b870-7748-a977-28b0e0fd939e', 'owner', '01a21582-c391-72bc-9efb-77b2ac262a80', '2026-11-26 01:40:20.995728+00', '2026-11-26 01:40:20.995728+00', 1);
INSERT INTO public.memberships VALUES ('01a21582-c3ae-7109-93bd-71a9dbdf562b', '01a21582-b870-7748-a977-28b0e0fd939e', 'owner', '01a21582-c3b3-77e4-8619-5e3ce8e5d5b5', '2026-11-26 01:40:21.035873+00', '2026-11-26 01:40:21.035873+00', 1);
INSERT INTO public.memberships VALUES ('01a21582-c3da-7070-8666-e6330688a3a2', '01a21582-bde2-72f8-8a20-dfc2d7713d84', 'owner', '01a21582-c3df-7240-8fdf-ba107d4f550d', '2026-11-26 01:40:21.080697+00', '2026-11-26 01:40:21.080697+00', 1);
INSERT INTO public.memberships VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-b9b9-7239-878e-5f4c4663ec6e', 'admin', '01a21582-c5a8-739b-ae63-77ef365bae06', '2026-11-26 01:40:21.535284+00', '2026-11-26 01:40:21.535284+00', 1);
INSERT INTO public.memberships VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-bac8-7568-b32a-decc4f72052d', 'member', '01a21582-c6a9-753c-9cd9-1faa8c1d9779', '2026-11-26 01:40:21.795241+00', '2026-11-26 01:40:21.795241+00', 1);
INSERT INTO public.memberships VALUES ('01a21582-c388-77e6-8568-8183c26b355e', '01a21582-bbcd-770e-9936-fc0d3cbc9697', 'viewer', '01a21582-c7aa-7021-8653-77c141545917', '2026-11-26 01:40:22.051052+00', '2026-11-26 01:40:22.051052+00', 1);
INSERT INTO public.one_time_tokens VALUES ('01a21582-b870-7748-a977-28b0e0fd939e', 'verify_email', '\xf8ad9919168ca7cc199a3bd20574ac8563e249c1bc5fe604408aedec4aba2a97', '2026-11-26 01:40:18.151305+00', '2026-11-27 01:40:18.151305+00', '2026-11-26 01:40:18.401803+00', '01a21582-b87b-7024-8582-6360e0fe889f');
INSERT INTO public.one_time_tokens VALUES ('01a21582-b9b9-7239-878e-5f4c4663ec6e', 'verify_email', '\x9dcb37d08f7e6b399d24dc617506a4f4d9760b36c858a7520089889029bb04f9', '2026-11-26 01:40:18.487811+00', '2026-11-27 01:40:18.487811+00', '2026-11-26 01:40:18.718518+00', '01a21582-b9c1-7091-9e85-0c2ab022dcfb');
INSERT INTO public.one_time_tokens VALUES ('01a21582-bac8-7568-b32a-decc4f72052d', 'verify_email', '\x1521ccdbbbeb52695288494126643a0fa16790380a44384aa714ea19c0236fc7', '2026-11-26 01:40:18.758628+00', '2026-11-27 01:40:18.758628+00', '2026-11-26 01:40:18.98164+00', '01a21582-bacc-716e-93b6-009c13932d19');
INSERT INTO public.one_time_tokens VALUES ('01a21582-bbcd-770e-9936-fc0d3cbc9697', 'verify_email', '\x3a2dc0320506a8448f63b874e5443958d0c7a87b063d9bad37ba9513c1e75201', '2026-11-26 01:40:19.019114+00', '2026-11-27 01:40:19.019114+00', '2026-11-26 01:40:19.24412+00', '01a21582-bbd1-7754-b455-a8e8a5511fc3');
INSERT INTO public.one_time_tokens VALUES ('01a21582-bcd6-73f9-a205-9b6d7ce9d739', 'verify_email', '\x0ef5efc5d2fd2072c11161011b740cf9b5b3e3b44197675778ba17fe98581268', '2026-11-26 01:40:19.284362+00', '2026-11-27 01:40:19.284362+00', '2026-11-26 01:40:19.509219+00', '01a21582-bcda-74e6-910f-628ac536fce6');
INSERT INTO public.one_time_tokens VALUES ('01a21582-bde2-72f8-8a20-dfc2d7713d84', 'verify_email', '\x3645c1aac8f66df2273f2baf52dc378c6652687a4a4ab3a9adfe49aeac26ecdb', '2026-11-26 01:40:19.552241+00', '2026-11-27 01:40:19.552241+00', '2026-11-26 01:40:19.78185+00', '01a21582-bde7-7778-8593-cb62c127efb3');
INSERT INTO public.one_time_tokens VALUES ('01a21582-bef3-7277-b2e3-6b9b4396f93d', 'verify_email', '\xcc7e39aa92d60d5185fbd7604cebd143e3d412754fb72ba214d7d75b1a953590', '2026-11-26 01:40:19.825319+00', '2026-11-27 01:40:19.825319+00', '2026-11-26 01:40:20.049996+00', '01a21582-bef7-73ed-be74-ecaacf4891cf');
INSERT INTO public.one_time_tokens VALUES ('01a21582-bff8-76bb-82f0-86a4c7589b26', 'verify_email', '\x35a4d0ac5cd1e9b907150013d936481c1bf5fce75ccaa2e5ed3b7ad5bf84248e', '2026-11-26 01:40:20.086617+00', '2026-11-27 01:40:20.086617+00', '2026-11-26 01:40:20.314102+00', '01a21582-bffd-7484-b2b1-575143decbef');
INSERT INTO public.one_time_tokens VALUES ('01a21582-c105-74e4-a102-ef3eda7385db', 'verify_email', '\x9ce1578cb80da9889b604f138f133ee5ffd25a4ff58b5f4dbf5e23045b0e3525', '2026-11-26 01:40:20.355217+00', '2026-11-27 01:40:20.355217+00', '2026-11-26 01:40:20.580141+00', '01a21582-c109-7282-879a-ae5742ce348b');
INSERT INTO public.one_time_tokens VALUES ('01a21582-c205-7410-908a-a30d8da50083', 'verify_email', '\x3772dcc160559f2250780ffe81186113caf62a674547bf8194473fe94de6979d', '2026-11-26 01:40:20.612101+00', '2026-11-27 01:40:20.612101+00', NULL, '01a21582-c20a-732d-90a2-5bb113e9df2e');
INSERT INTO public.one_time_tokens VALUES ('01a21582-bbcd-770e-9936-fc0d3cbc9697', 'reset_password', '\xa900153409503da4d5fb68657db67978e5e8f9fa91eeaf30f273f57638dd58b3', '2026-11-26 01:40:41.988313+00', '2026-11-26 02:40:41.988313+00', NULL, '01a21583-1588-7368-98af-c6383f340735');
INSERT INTO public.organization_limits VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 200, '{"read": {"minute": 5000}}', 'Europe/London', false, '2026-11-26 01:40:21.100379+00', '2026-11-26 01:40:21.100379+00', 1, '{write.hour}');
INSERT INTO public.organizations VALUES ('Difference Engines', 'difference-engines', 'free', '2026-11-26 01:40:21.053162+00', '01a21582-c3ae-7109-93bd-71a9dbdf562b', '2026-11-26 01:40:21.035873+00', '2026-11-26 01:40:21.060193+00', 2);
INSERT INTO public.organizations VALUES ('Eve''s', 'eve-s', 'free', NULL, '01a21582-c3da-7070-8666-e6330688a3a2', '2026-11-26 01:40:21.080697+00', '2026-11-26 01:40:21.080697+00', 1);
INSERT INTO public.organizations VALUES ('Analytical Engines Ltd', 'analytical-engines', 'enterprise', NULL, '01a21582-c388-77e6-8568-8183c26b355e', '2026-11-26 01:40:20.995728+00', '2026-11-26 01:40:41.655764+00', 2);
INSERT INTO public.permissions VALUES ('keys:read');
INSERT INTO public.permissions VALUES ('keys:write');
INSERT INTO public.permissions VALUES ('members:read');
INSERT INTO public.permissions VALUES ('members:write');
INSERT INTO public.permissions VALUES ('organization:delete');
INSERT INTO public.permissions VALUES ('organization:read');
INSERT INTO public.permissions VALUES ('organization:write');
INSERT INTO public.permissions VALUES ('webhooks:read');
INSERT INTO public.permissions VALUES ('webhooks:write');
INSERT INTO public.refresh_tokens VALUES ('01a21582-b990-7491-b87a-fc8995d6853b', '\x389c4db3754627995446a831586a3c8f82347f6b7c4fb848e816c1a883c01674', '2026-11-26 01:40:18.430078+00', '2026-12-03 01:40:18.430078+00', NULL, '01a21582-b9a7-7159-8d97-8c1f3d84b288');
INSERT INTO public.refresh_tokens VALUES ('01a21582-bab6-73f3-a7c2-80d5ac7fc0fa', '\x88022a940b6c30c17b700050830fa612ba3b63f598999e471c6ce153614ac614', '2026-11-26 01:40:18.734577+00', '2026-12-03 01:40:18.734577+00', NULL, '01a21582-babc-71c6-9a1a-5e5b3199b221');
INSERT INTO public.refresh_tokens VALUES ('01a21582-bbbc-7182-9a57-41ec11963541', '\x95eddb79aa9b2c396036dbd47dffe0967c9c97218652961e627dbdc746477392', '2026-11-26 01:40:18.997244+00', '2026-12-03 01:40:18.997244+00', NULL, '01a21582-bbc1-72c6-a238-2758691986d7');
INSERT INTO public.refresh_tokens VALUES ('01a21582-bcc4-721c-9470-243bbe2de092', '\x313d036b8985839c44e115a03f88ea0b643b543d4a90ebf2282f9f5bf7b0f737', '2026-11-26 01:40:19.258794+00', '2026-12-03 01:40:19.258794+00', NULL, '01a21582-bcc9-777e-a99f-f0866e7e0d2c');
INSERT INTO public.refresh_tokens VALUES ('01a21582-bdcf-7090-a05c-3152a15e2d92', '\xa28f1f917380d59c3e4fe3dcdbf7a5d45f0476c1a5a930bedf262d70429969fc', '2026-11-26 01:40:19.527017+00', '2026-12-03 01:40:19.527017+00', NULL, '01a21582-bdd5-73f9-b39f-89dfab195221');
INSERT INTO public.refresh_tokens VALUES ('01a21582-bee0-72df-9627-0d64752d6cba', '\x1b3b280479b31e60da80fb2f73fd653ed9ce0052044d5ac211cb6bc32e6da00a', '2026-11-26 01:40:19.799569+00', '2026-12-03 01:40:19.799569+00', NULL, '01a21582-bee6-7491-a8c2-336b1fe5c6c2');
INSERT INTO public.refresh_tokens VALUES ('01a21582-bfe8-713d-b5f6-46408b8763e5', '\x90e8de1a85bb0cc5908299a93eac5ac2bb132b8522240d52f6f227f2b377ace8', '2026-11-26 01:40:20.065141+00', '2026-12-03 01:40:20.065141+00', NULL, '01a21582-bfed-7290-811f-9208cd8575c1');
INSERT INTO public.refresh_tokens VALUES ('01a21582-c0f2-7324-a6a3-128ae45ac4b9', '\xaccd941acd7d4add0d178a4705a6ec9b0b85f5f9866f5be800fb082ffab51bb4', '2026-11-26 01:40:20.330116+00', '2026-12-03 01:40:20.330116+00', NULL, '01a21582-c0f8-7257-907f-967cbe7c26da');
INSERT INTO public.refresh_tokens VALUES ('01a21582-c1f8-709e-9947-0dc733e635ba', '\x9b655d2529053c16ca86becab6746d3663054d475134bfa5714ed10c284f47d0', '2026-11-26 01:40:20.594351+00', '2026-12-03 01:40:20.594351+00', NULL, '01a21582-c1fc-72ad-87aa-ad05bd6ded2e');
INSERT INTO public.refresh_tokens VALUES ('01a21582-c325-76f9-b704-b6dd53757ea1', '\xa0fe804b80ab9a4f665145490054d7d842594c796203ed216f22a721d66bfec4', '2026-11-26 01:40:20.894164+00', '2026-12-03 01:40:20.894164+00', NULL, '01a21582-c32b-74ad-971e-59bc857dcfcd');
INSERT INTO public.refresh_tokens VALUES ('01a21582-b990-7491-b87a-fc8995d6853b', '\x929137d3d0f5a237b4eae706f07f404249ea4cf1bda26b676452bdc684182ee5', '2026-11-26 01:40:21.167929+00', '2026-12-03 01:40:21.167929+00', NULL, '01a21582-c440-7336-911d-3403cdcf8325');
INSERT INTO public.refresh_tokens VALUES ('01a21583-1530-7599-ae81-95cb00eda219', '\xe621c1cc417f0bba3e58ca99d82676944c96176276f0838ddffee654cff4c650', '2026-11-26 01:40:41.896341+00', '2026-12-03 01:40:41.896341+00', NULL, '01a21583-1539-738e-94d5-8225a9afa28e');
INSERT INTO public.refresh_tokens VALUES ('01a21583-155a-7407-a685-e45c223bd027', '\xeb25e7f329c29b6074b6c01a3ec921f91d6fd78154d9ffa916e2a7592e602d28', '2026-11-26 01:40:41.939199+00', '2026-12-03 01:40:41.939199+00', '2026-11-26 01:40:41.963385+00', '01a21583-1561-77a2-a167-e54f5e13496e');
INSERT INTO public.refresh_tokens VALUES ('01a21583-155a-7407-a685-e45c223bd027', '\x9b62ff723bb326ced1104a65838ac5547f691331567e4cc2f4762a78d735d1ff', '2026-11-26 01:40:41.963385+00', '2026-12-03 01:40:41.963385+00', NULL, '01a21583-157a-745e-b0cb-44b748c136ca');
INSERT INTO public.role_permissions VALUES ('admin', 'keys:read');
INSERT INTO public.role_permissions VALUES ('admin', 'keys:write');
INSERT INTO public.role_permissions VALUES ('admin', 'members:read');
INSERT INTO public.role_permissions VALUES ('admin', 'members:write');
INSERT INTO public.role_permissions VALUES ('admin', 'organization:read');
INSERT INTO public.role_permissions VALUES ('admin', 'organization:write');
INSERT INTO public.role_permissions VALUES ('admin', 'webhooks:read');
INSERT INTO public.role_permissions VALUES ('admin', 'webhooks:write');
INSERT INTO public.role_permissions VALUES ('member', 'keys:read');
INSERT INTO public.role_permissions VALUES ('member', 'keys:write');
INSERT INTO public.role_permissions VALUES ('member', 'members:read');
INSERT INTO public.role_permissions VALUES ('member', 'organization:read');
INSERT INTO public.role_permissions VALUES ('member', 'webhooks:read');
INSERT INTO public.role_permissions VALUES ('member', 'webhooks:write');
INSERT INTO public.role_permissions VALUES ('owner', 'keys:read');
INSERT INTO public.role_permissions VALUES ('owner', 'keys:write');
INSERT INTO public.role_permissions VALUES ('owner', 'members:read');
INSERT INTO public.role_permissions VALUES ('owner', 'members:write');
INSERT INTO public.role_permissions VALUES ('owner', 'organization:delete');
INSERT INTO public.role_permissions VALUES ('owner', 'organization:read');
INSERT INTO public.role_permissions VALUES ('owner', 'organization:write');
INSERT INTO public.role_permissions VALUES ('owner', 'webhooks:read');
INSERT INTO public.role_permissions VALUES ('owner', 'webhooks:write');
INSERT INTO public.role_permissions VALUES ('viewer', 'keys:read');
INSERT INTO public.role_permissions VALUES ('viewer', 'members:read');
INSERT INTO public.role_permissions VALUES ('viewer', 'organization:read');
INSERT INTO public.role_permissions VALUES ('viewer', 'webhooks:read');
INSERT INTO public.roles VALUES ('admin');
INSERT INTO public.roles VALUES ('member');
INSERT INTO public.roles VALUES ('owner');
INSERT INTO public.roles VALUES ('viewer');
INSERT INTO public.sessions VALUES ('01a21582-b9b9-7239-878e-5f4c4663ec6e', NULL, 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.2', '2026-11-26 01:40:18.734577+00', '2026-11-26 01:40:18.734577+00', '2026-12-03 01:40:18.734577+00', '2026-12-26 01:40:18.734577+00', NULL, '01a21582-bab6-73f3-a7c2-80d5ac7fc0fa');
INSERT INTO public.sessions VALUES ('01a21582-bac8-7568-b32a-decc4f72052d', NULL, 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.3', '2026-11-26 01:40:18.997244+00', '2026-11-26 01:40:18.997244+00', '2026-12-03 01:40:18.997244+00', '2026-12-26 01:40:18.997244+00', NULL, '01a21582-bbbc-7182-9a57-41ec11963541');
INSERT INTO public.sessions VALUES ('01a21582-bbcd-770e-9936-fc0d3cbc9697', NULL, 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.4', '2026-11-26 01:40:19.258794+00', '2026-11-26 01:40:19.258794+00', '2026-12-03 01:40:19.258794+00', '2026-12-26 01:40:19.258794+00', NULL, '01a21582-bcc4-721c-9470-243bbe2de092');
INSERT INTO public.sessions VALUES ('01a21582-bcd6-73f9-a205-9b6d7ce9d739', NULL, 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.5', '2026-11-26 01:40:19.527017+00', '2026-11-26 01:40:19.527017+00', '2026-12-03 01:40:19.527017+00', '2026-12-26 01:40:19.527017+00', NULL, '01a21582-bdcf-7090-a05c-3152a15e2d92');
INSERT INTO public.sessions VALUES ('01a21582-bde2-72f8-8a20-dfc2d7713d84', NULL, 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.6', '2026-11-26 01:40:19.799569+00', '2026-11-26 01:40:19.799569+00', '2026-12-03 01:40:19.799569+00', '2026-12-26 01:40:19.799569+00', NULL, '01a21582-bee0-72df-9627-0d64752d6cba');
INSERT INTO public.sessions VALUES ('01a21582-bef3-7277-b2e3-6b9b4396f93d', NULL, 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.7', '2026-11-26 01:40:20.065141+00', '2026-11-26 01:40:20.065141+00', '2026-12-03 01:40:20.065141+00', '2026-12-26 01:40:20.065141+00', NULL, '01a21582-bfe8-713d-b5f6-46408b8763e5');
INSERT INTO public.sessions VALUES ('01a21582-bef3-7277-b2e3-6b9b4396f93d', NULL, 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.7', '2026-11-26 01:40:20.894164+00', '2026-11-26 01:40:20.894164+00', '2026-12-03 01:40:20.894164+00', '2026-12-26 01:40:20.894164+00', NULL, '01a21582-c325-76f9-b704-b6dd53757ea1');
INSERT INTO public.sessions VALUES ('01a21582-bff8-76bb-82f0-86a4c7589b26', NULL, 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.8', '2026-11-26 01:40:20.330116+00', '2026-11-26 01:40:20.330116+00', '2026-12-03 01:40:20.330116+00', '2026-12-26 01:40:20.330116+00', '2026-11-26 01:40:20.942454+00', '01a21582-c0f2-7324-a6a3-128ae45ac4b9');
INSERT INTO public.sessions VALUES ('01a21582-c105-74e4-a102-ef3eda7385db', NULL, 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.9', '2026-11-26 01:40:20.594351+00', '2026-11-26 01:40:20.594351+00', '2026-12-03 01:40:20.594351+00', '2026-12-26 01:40:20.594351+00', '2026-11-26 01:40:20.964438+00', '01a21582-c1f8-709e-9947-0dc733e635ba');
INSERT INTO public.sessions VALUES ('01a21582-b870-7748-a977-28b0e0fd939e', '01a21582-c388-77e6-8568-8183c26b355e', 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.1', '2026-11-26 01:40:18.430078+00', '2026-11-26 01:40:21.167929+00', '2026-12-03 01:40:21.167929+00', '2026-12-26 01:40:18.430078+00', NULL, '01a21582-b990-7491-b87a-fc8995d6853b');
INSERT INTO public.sessions VALUES ('01a21582-bac8-7568-b32a-decc4f72052d', '01a21582-c388-77e6-8568-8183c26b355e', 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.3', '2026-11-26 01:40:41.896341+00', '2026-11-26 01:40:41.896341+00', '2026-12-03 01:40:41.896341+00', '2026-12-26 01:40:41.896341+00', '2026-11-26 01:40:41.923406+00', '01a21583-1530-7599-ae81-95cb00eda219');
INSERT INTO public.sessions VALUES ('01a21582-b9b9-7239-878e-5f4c4663ec6e', '01a21582-c388-77e6-8568-8183c26b355e', 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', '10.0.0.2', '2026-11-26 01:40:41.939199+00', '2026-11-26 01:40:41.963385+00', '2026-12-03 01:40:41.963385+00', '2026-12-26 01:40:41.939199+00', NULL, '01a21583-155a-7407-a685-e45c223bd027');
INSERT INTO public.signing_keys VALUES ('01a21582-b581-73c6-9b5b-21d0dd8564ba', '\x963818ed2f79bc9beac17a22cc4d2d13faaa511c26b8ca1656b159ceb84c6d884abb010de98e9f8d14aa3cdae28b78cc42301acedc453ce92c7ce330b73d3c720aef85ff186ad58fa0d6a9f350404540c8020c8adcf8235bb1ea9113ab9bf584387d899e9577d838884ecdd08120fd6ddc9f3376c8909ada8e96f6ff7594f025a30fd99389a111a8525424fd926e7df960f0c237a069294c64d11769e16bf16f66a9d6acfb7a080522693f8b2ba4aef6bad7628f861b081d0a1b3a39985ce04232045361aa16674fd15eaf671f948598977466bf349e72b4d955437e4f86f44d7e8a0c2023835d6f0748ae45453b201c9babeefc5c19fb0790141cb49a0557c41c2d926bd2092034e32e800fa7', '2026-11-26 01:40:17.376434+00', '2026-11-26 01:40:17.376434+00', NULL);
INSERT INTO public.user_profiles VALUES ('01a21582-b9b9-7239-878e-5f4c4663ec6e', 'Grace', '', '', '{}');
INSERT INTO public.user_profiles VALUES ('01a21582-bac8-7568-b32a-decc4f72052d', 'Linus', '', '', '{}');
INSERT INTO public.user_profiles VALUES ('01a21582-bbcd-770e-9936-fc0d3cbc9697', 'Mary', '', '', '{}');
INSERT INTO public.user_profiles VALUES ('01a21582-bcd6-73f9-a205-9b6d7ce9d739', 'Joan', '', '', '{}');
INSERT INTO public.user_profiles VALUES ('01a21582-bde2-72f8-8a20-dfc2d7713d84', 'Eve', '', '', '{}');
INSERT INTO public.user_profiles VALUES ('01a21582-bef3-7277-b2e3-6b9b4396f93d', 'Root', '', '', '{}');
INSERT INTO public.user_profiles VALUES ('01a21582-bff8-76bb-82f0-86a4c7589b26', 'Sam', '', '', '{}');
INSERT INTO public.user_profiles VALUES ('01a21582-c105-74e4-a102-ef3eda7385db', 'Dora', '', '', '{}');
INSERT INTO public.user_profiles VALUES ('01a21582-c205-7410-908a-a30d8da50083', 'New', '', '', '{}');
INSERT INTO public.user_profiles VALUES ('01a21582-b870-7748-a977-28b0e0fd939e', 'Ada', 'https://example.com/ada.png', 'Counts.', '{"theme": "dark"}');
INSERT INTO public.users VALUES ('mary@example.com', '$2b$04$Ip/hFP60VcgJWjmBLawQdOjBLyB2SnlhDQpdIXyd2He0xbQFHXtLW', '2026-11-26 01:40:19.24412+00', 'active', 'user', '2026-11-26 01:40:19.019114+00', '2026-11-26 01:40:19.258794+00', NULL, NULL, '2026-11-26 01:40:19.24412+00', '01a21582-bbcd-770e-9936-fc0d3cbc9697', '2026-11-26 01:40:19.022724+00', 3);
INSERT INTO public.users VALUES ('joan@example.com', '$2b$04$O2e8NfZBGlfN7k6rZPil/upPIuhMYZ0GaGGfXH6GSdZlySOZ4H9Ae', '2026-11-26 01:40:19.509219+00', 'active', 'user', '2026-11-26 01:40:19.284362+00', '2026-11-26 01:40:19.527017+00', NULL, NULL, '2026-11-26 01:40:19.509219+00', '01a21582-bcd6-73f9-a205-9b6d7ce9d739', '2026-11-26 01:40:19.288083+00', 3);
INSERT INTO public.users VALUES ('eve@example.com', '$2b$04$e5m6G5roIQXPkThPKsHHBexYopsYIZ..M9//6iO.rLZw/VNEuYTii', '2026-11-26 01:40:19.78185+00', 'active', 'user', '2026-11-26 01:40:19.552241+00', '2026-11-26 01:40:19.799569+00', NULL, NULL, '2026-11-26 01:40:19.78185+00', '01a21582-bde2-72f8-8a20-dfc2d7713d84', '2026-11-26 01:40:19.556357+00', 3);
INSERT INTO public.users VALUES ('new@example.com', '$2b$04$JZ5FSqi2ntDPaWJ1jIZW9.TrdmP.AhksP4R/HU9U472bGTu5WTnQO', NULL, 'active', 'user', '2026-11-26 01:40:20.612101+00', NULL, NULL, NULL, '2026-11-26 01:40:20.615483+00', '01a21582-c205-7410-908a-a30d8da50083', '2026-11-26 01:40:20.615483+00', 1);
INSERT INTO public.users VALUES ('root@example.com', '$2b$04$z5sv86.0Egkar9HTgMK.JukIdhg9R/O13XQxlEv3TDGeoINJxl7MC', '2026-11-26 01:40:20.049996+00', 'active', 'administrator', '2026-11-26 01:40:19.825319+00', '2026-11-26 01:40:20.894164+00', NULL, NULL, '2026-11-26 01:40:20.877402+00', '01a21582-bef3-7277-b2e3-6b9b4396f93d', '2026-11-26 01:40:19.829075+00', 5);
INSERT INTO public.users VALUES ('ada@example.com', '$2b$04$8F3eyhk8XFnvi0xt6XYfm.xRNuGP5JmpQIPSxw8aHNO19f1wUczwG', '2026-11-26 01:40:18.401803+00', 'active', 'user', '2026-11-26 01:40:18.151305+00', '2026-11-26 01:40:18.430078+00', NULL, NULL, '2026-11-26 01:40:20.917743+00', '01a21582-b870-7748-a977-28b0e0fd939e', '2026-11-26 01:40:18.164692+00', 4);
INSERT INTO public.users VALUES ('sam@example.com', '$2b$04$T0SmwY6ugTtAy1Nts19NJOcLc7s1QJb5eCdkzQjUkzoedMVIzzTf2', '2026-11-26 01:40:20.314102+00', 'suspended', 'user', '2026-11-26 01:40:20.086617+00', '2026-11-26 01:40:20.330116+00', '2026-11-26 01:40:20.942454+00', NULL, '2026-11-26 01:40:20.942454+00', '01a21582-bff8-76bb-82f0-86a4c7589b26', '2026-11-26 01:40:20.090725+00', 4);
INSERT INTO public.users VALUES ('dora@example.com', '$2b$04$g5kLbU.nyE1zfcPcVbOIQ.4eINkrjOZ2u5wwCVwAwxVFCW1qTNTlS', '2026-11-26 01:40:20.580141+00', 'active', 'user', '2026-11-26 01:40:20.355217+00', '2026-11-26 01:40:20.594351+00', '2026-11-26 01:40:20.964438+00', '2026-11-26 01:40:20.964438+00', '2026-11-26 01:40:20.964438+00', '01a21582-c105-74e4-a102-ef3eda7385db', '2026-11-26 01:40:20.359028+00', 4);
INSERT INTO public.users VALUES ('linus@example.com', '$2b$04$0eggKYgvJQ/g2.bqcP1SYOdhMiXV3o6eTtvaR6QhaFsv/Gs1of0fG', '2026-11-26 01:40:18.98164+00', 'active', 'user', '2026-11-26 01:40:18.758628+00', '2026-11-26 01:40:41.896341+00', NULL, NULL, '2026-11-26 01:40:18.98164+00', '01a21582-bac8-7568-b32a-decc4f72052d', '2026-11-26 01:40:18.762117+00', 4);
INSERT INTO public.users VALUES ('grace@example.com', '$2b$04$AAezzIRh5YqlfY8gkJ80xO8a4/2NR3tx5m3MPKnrHYxURiypQnyjK', '2026-11-26 01:40:18.718518+00', 'active', 'user', '2026-11-26 01:40:18.487811+00', '2026-11-26 01:40:41.939199+00', NULL, NULL, '2026-11-26 01:40:18.718518+00', '01a21582-b9b9-7239-878e-5f4c4663ec6e', '2026-11-26 01:40:18.492742+00', 4);
INSERT INTO public.webhooks VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'http://127.0.0.1:18099/events', '{*}', 'everything', true, '\x696773a4ff8dc98aab6c6f7dec6806eafdb732acb370b724bbf36671b21f726b0f7c2f6448b9ac1d464b08fef51dbd9e1df6c147a63b2f1fc09f0d88da10293635774d4c659a384e2dd18fe12f10', '01a21582-c451-7745-9256-a189000bc3ac', '2026-11-26 01:40:21.204945+00', '2026-11-26 01:40:21.204945+00', 1);
INSERT INTO public.webhooks VALUES ('01a21582-c388-77e6-8568-8183c26b355e', 'http://127.0.0.1:18099/off', '{key.created}', '', false, '\xce39a8f6f15bc51b7a45d7128fa3bbfc7bc52110dd68765e85357d7ed959fecb64708fecf8a0e9b4c5c61c1baa9cb5bdca0801a7a24e72a5236ca299b52dbc015c26e7e3ab369ca6f97abc82aad2', '01a21582-c464-71a5-a6a5-050ea7029bc6', '2026-11-26 01:40:21.221868+00', '2026-11-26 01:40:21.244339+00', 2);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT pk_api_keys PRIMARY KEY (id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT pk_attempts PRIMARY KEY (delivery_id, number);
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT pk_audit_log PRIMARY KEY (id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT pk_deliveries PRIMARY KEY (id);
ALTER TABLE ONLY public.emails
    ADD CONSTRAINT pk_emails PRIMARY KEY (id);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT pk_events PRIMARY KEY (id);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT pk_idempotency_keys PRIMARY KEY (scope);
ALTER TABLE ONLY public.imported_secrets
    ADD CONSTRAINT pk_imported_secrets PRIMARY KEY (api_key_id);
ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT pk_invitations PRIMARY KEY (id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT pk_memberships PRIMARY KEY (id);
ALTER TABLE ONLY public.one_time_tokens
    ADD CONSTRAINT pk_one_time_tokens PRIMARY KEY (id);
ALTER TABLE ONLY public.organization_limits
    ADD CONSTRAINT pk_organization_limits PRIMARY KEY (organization_id);
ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT pk_organizations PRIMARY KEY (id);
ALTER TABLE ONLY public.permissions
    ADD CONSTRAINT pk_permissions PRIMARY KEY (name);
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT pk_refresh_tokens PRIMARY KEY (id);
ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT pk_role_permissions PRIMARY KEY (role, permission);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT pk_roles PRIMARY KEY (name);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT pk_sessions PRIMARY KEY (id);
ALTER TABLE ONLY public.signing_keys
    ADD CONSTRAINT pk_signing_keys PRIMARY KEY (kid);
ALTER TABLE ONLY public.user_profiles
    ADD CONSTRAINT pk_user_profiles PRIMARY KEY (user_id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT pk_users PRIMARY KEY (id);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT pk_webhooks PRIMARY KEY (id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT uq_deliveries_webhook_id_event_id UNIQUE (webhook_id, event_id);
ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT uq_invitations_token_hash UNIQUE (token_hash);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT uq_memberships_organization_id_user_id UNIQUE (organization_id, user_id);
CREATE INDEX ix_api_keys_organization_id_id ON public.api_keys USING btree (organization_id, id);
CREATE INDEX ix_audit_log_actor_id_created_at ON public.audit_log USING btree (actor_id, created_at);
CREATE INDEX ix_audit_log_organization_id_created_at ON public.audit_log USING btree (organization_id, created_at);
CREATE INDEX ix_deliveries_due ON public.deliveries USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE INDEX ix_deliveries_webhook_id_id ON public.deliveries USING btree (webhook_id, id);
CREATE INDEX ix_deliveries_webhook_id_status_id ON public.deliveries USING btree (webhook_id, status, id);
CREATE INDEX ix_emails_due ON public.emails USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE INDEX ix_events_organization_id_created_at ON public.events USING btree (organization_id, created_at);
CREATE INDEX ix_events_pending ON public.events USING btree (created_at) WHERE (fanned_out_at IS NULL);
CREATE INDEX ix_idempotency_keys_expires_at ON public.idempotency_keys USING btree (expires_at);
CREATE INDEX ix_invitations_organization_id_id ON public.invitations USING btree (organization_id, id);
CREATE INDEX ix_memberships_organization_id_id ON public.memberships USING btree (organization_id, id);
CREATE INDEX ix_memberships_user_id_id ON public.memberships USING btree (user_id, id);
CREATE INDEX ix_one_time_tokens_expires_at ON public.one_time_tokens USING btree (expires_at);
CREATE INDEX ix_one_time_tokens_user_id_kind_created_at ON public.one_time_tokens USING btree (user_id, kind, created_at);
CREATE INDEX ix_refresh_tokens_expires_at ON public.refresh_tokens USING btree (expires_at);
CREATE INDEX ix_refresh_tokens_session_id ON public.refresh_tokens USING btree (session_id);
CREATE INDEX ix_sessions_expires_at ON public.sessions USING btree (expires_at);
CREATE INDEX ix_sessions_user_id_id ON public.sessions USING btree (user_id, id);
CREATE INDEX ix_user_profiles_display_name_user_id ON public.user_profiles USING btree (display_name, user_id);
CREATE INDEX ix_users_created_at_id ON public.users USING btree (created_at, id);
CREATE INDEX ix_users_role ON public.users USING btree (role) WHERE ((role)::text <> 'user'::text);
CREATE INDEX ix_webhooks_organization_id_id ON public.webhooks USING btree (organization_id, id);
CREATE UNIQUE INDEX uq_api_keys_previous_secret_hash ON public.api_keys USING btree (previous_secret_hash) WHERE (previous_secret_hash IS NOT NULL);
CREATE UNIQUE INDEX uq_api_keys_secret_hash ON public.api_keys USING btree (secret_hash);
CREATE UNIQUE INDEX uq_imported_secrets_prefix ON public.imported_secrets USING btree (prefix);
CREATE UNIQUE INDEX uq_invitations_pending ON public.invitations USING btree (organization_id, email) WHERE ((status)::text = 'pending'::text);
CREATE UNIQUE INDEX uq_one_time_tokens_token_hash ON public.one_time_tokens USING btree (token_hash);
CREATE UNIQUE INDEX uq_organizations_slug ON public.organizations USING btree (slug) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX uq_refresh_tokens_token_hash ON public.refresh_tokens USING btree (token_hash);
CREATE UNIQUE INDEX uq_users_email ON public.users USING btree (email) WHERE (deleted_at IS NULL);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT fk_api_keys_organization_id FOREIGN KEY (organization_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT fk_attempts_delivery_id FOREIGN KEY (delivery_id) REFERENCES public.deliveries(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT fk_deliveries_organization_id FOREIGN KEY (organization_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT fk_deliveries_webhook_id FOREIGN KEY (webhook_id) REFERENCES public.webhooks(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.imported_secrets
    ADD CONSTRAINT fk_imported_secrets_api_key_id FOREIGN KEY (api_key_id) REFERENCES public.api_keys(id);
ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT fk_invitations_invited_by FOREIGN KEY (invited_by) REFERENCES public.users(id);
ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT fk_invitations_organization_id FOREIGN KEY (organization_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT fk_invitations_role FOREIGN KEY (role) REFERENCES public.roles(name);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT fk_memberships_organization_id FOREIGN KEY (organization_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT fk_memberships_role FOREIGN KEY (role) REFERENCES public.roles(name);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT fk_memberships_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.one_time_tokens
    ADD CONSTRAINT fk_one_time_tokens_user_id FOREIGN KEY (user_id) REFERENCES public.users(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.organization_limits
    ADD CONSTRAINT fk_organization_limits_organization_id FOREIGN KEY (organization_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT fk_refresh_tokens_session_id FOREIGN KEY (session_id) REFERENCES public.sessions(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT fk_role_permissions_permission FOREIGN KEY (permission) REFERENCES public.permissions(name);
ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT fk_role_permissions_role FOREIGN KEY (role) REFERENCES public.roles(name);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT fk_sessions_organization_id FOREIGN KEY (organization_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT fk_sessions_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.user_profiles
    ADD CONSTRAINT fk_user_profiles_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT fk_webhooks_organization_id FOREIGN KEY (organization_id) REFERENCES public.organizations(id);
