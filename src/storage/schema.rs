//! The tables as diesel knows them. Private to `storage`; `migrations/` makes them and a test holds both equal.
//!
//! [`scoped`] is how a repository reads and changes a tenant's table: filtered already, so that the filter can't be forgotten. The
//! feature `without-scoping` takes the filter out, for the tests that hold row-level security to keeping tenants apart by itself.

#[cfg(all(feature = "without-scoping", not(debug_assertions)))]
compile_error!(
    "`without-scoping` takes the filter by tenant out of every query: it is for tests, which build with debug assertions"
);

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident ($($key:ident),+) { $($column:ident -> $type:ty,)* })*) => {
        $(
            diesel::table! {
                use diesel::sql_types::*;
                use crate::storage::types::{UuidType, InstantType};
                $(#[$doc])*
                $name ($($key),+) { $($column -> $type,)* }
            }
        )*
    };
}

macro_rules! tenant_tables {
    ($($(#[$doc:meta])* $name:ident ($($key:ident),+) { $($column:ident -> $type:ty,)* })*) => {
        tables! { $($(#[$doc])* $name (tenant_id, $($key),+) { tenant_id -> UuidType, $($column -> $type,)* })* }

        /// The names of all tables whose rows belong to a tenant.
        pub const TENANT_TABLES: &[&str] = &[$(stringify!($name)),*];

        /// Each tenant's table, filtered to one tenant.
        #[allow(dead_code, reason = "some tables are only inserted into")]
        pub mod scoped {
            use diesel::dsl::{Eq, Filter};
            use diesel::prelude::*;
            use crate::domain::ids::TenantId;
            #[cfg(not(feature = "without-scoping"))]
            use crate::storage::types::DbUuid;
            $(
                #[cfg(not(feature = "without-scoping"))]
                pub fn $name(tenant: TenantId) -> Filter<super::$name::table, Eq<super::$name::tenant_id, DbUuid>> {
                    super::$name::table.filter(super::$name::tenant_id.eq(DbUuid::from(tenant)))
                }

                /// Every tenant's rows: what is left of them is row-level security's doing.
                #[cfg(feature = "without-scoping")]
                pub fn $name(_: TenantId) -> Filter<super::$name::table, Eq<super::$name::tenant_id, super::$name::tenant_id>> {
                    super::$name::table.filter(super::$name::tenant_id.eq(super::$name::tenant_id))
                }
            )*
        }
    };
}

/// Inserts one row into a tenant's table; the tenant comes from the repository.
macro_rules! insert_scoped {
    ($repo:expr, $table:ident, $values:expr) => {
        diesel::insert_into($crate::storage::schema::$table::table).values((
            diesel::ExpressionMethods::eq(
                $crate::storage::schema::$table::tenant_id,
                $crate::storage::types::DbUuid::from($repo.tenant),
            ),
            $values,
        ))
    };
}
pub(super) use insert_scoped;

tables! {
    /// One row: what the installation as a whole must remember.
    installation (id) { id -> Integer, master_key_fingerprint -> Text, created_at -> InstantType, }
    tenants (id) {
        id -> UuidType,
        slug -> Text,
        name -> Text,
        name_key -> Text,
        status -> Text,
        settings -> Text,
        branding -> Text,
        sealed_data_key -> Nullable<Binary>,
        version -> BigInt,
        created_at -> InstantType,
        updated_at -> InstantType,
        unused_client_days -> Integer,
        unused_clients_set_at -> Nullable<InstantType>,
        audit_event_days -> Integer,
        audit_event_days_set_at -> Nullable<InstantType>,
    }
    /// Which tenant owns a verified origin: one owner in the whole installation.
    domain_owners (origin) { origin -> Text, tenant_id -> UuidType, domain_id -> UuidType, }
    /// The change feed.
    changes (seq) { seq -> BigInt, tenant_id -> UuidType, entity -> Text, entity_id -> UuidType, created_at -> InstantType, }
}

tenant_tables! {
    domains (id) {
        id -> UuidType,
        origin -> Text,
        verification_token -> Text,
        verified_at -> Nullable<InstantType>,
        canonical -> Bool,
        created_at -> InstantType,
    }
    users (id) {
        id -> UuidType,
        email -> Text,
        email_key -> Text,
        search_key -> Text,
        email_verified -> Bool,
        password_phc -> Nullable<Text>,
        password_set_at -> Nullable<InstantType>,
        disabled_at -> Nullable<InstantType>,
        claims -> Text,
        version -> BigInt,
        created_at -> InstantType,
        updated_at -> InstantType,
        request_code_hash -> Nullable<Binary>,
        password_by_lesser -> Bool,
    }
    role_assignments (user_id, role) { user_id -> UuidType, role -> Text, created_at -> InstantType, }
    clients (id) {
        id -> UuidType,
        name -> Text,
        name_key -> Text,
        metadata -> Text,
        secret_hash -> Nullable<Binary>,
        secret_created_at -> Nullable<InstantType>,
        previous_secret_hash -> Nullable<Binary>,
        previous_secret_expires_at -> Nullable<InstantType>,
        version -> BigInt,
        created_at -> InstantType,
        updated_at -> InstantType,
        registration_hash -> Nullable<Binary>,
        initial_access_token_id -> Nullable<UuidType>,
        sealed_secret -> Nullable<Binary>,
        previous_sealed_secret -> Nullable<Binary>,
        backchannel_logout -> Bool,
        frontchannel_logout -> Bool,
        software_statement -> Nullable<Text>,
        starts_unasked -> Bool,
        last_used_at -> Nullable<InstantType>,
        set_by_administrators -> Nullable<Text>,
    }
    initial_access_tokens (id) {
        id -> UuidType,
        name -> Text,
        proof_hash -> Binary,
        uses -> Integer,
        max_uses -> Integer,
        created_at -> InstantType,
        expires_at -> InstantType,
    }
    /// From which origins a tenant's browser applications call (CORS).
    client_origins (origin, client_id) { origin -> Text, client_id -> UuidType, }
    resources (id) {
        id -> UuidType,
        identifier -> Text,
        name -> Text,
        scopes -> Text,
        version -> BigInt,
        created_at -> InstantType,
        details_types -> Text,
    }
    signing_keys (id) {
        id -> UuidType,
        kid -> Text,
        algorithm -> Text,
        public_jwk -> Text,
        sealed_private_jwk -> Binary,
        signs_from -> InstantType,
        retired_at -> Nullable<InstantType>,
        removed_at -> Nullable<InstantType>,
        revoked_at -> Nullable<InstantType>,
        created_at -> InstantType,
    }
    sessions (id) {
        id -> UuidType,
        user_id -> UuidType,
        proof_hash -> Binary,
        auth_time -> InstantType,
        amr -> Text,
        user_agent -> Text,
        address -> Text,
        last_used_at -> InstantType,
        expires_at -> InstantType,
        ended_at -> Nullable<InstantType>,
        lineage_id -> Nullable<UuidType>,
    }
    login_failures (counter) { counter -> Binary, count -> Integer, window_start -> InstantType, }
    consents (user_id, client_id) {
        user_id -> UuidType,
        client_id -> UuidType,
        permissions -> Text,
        created_at -> InstantType,
        updated_at -> InstantType,
    }
    external_subjects (id) {
        id -> UuidType,
        user_id -> UuidType,
        issuer -> Text,
        subject -> Text,
        name_hash -> Binary,
        created_at -> InstantType,
        search_key -> Text,
    }
    grants (id) {
        id -> UuidType,
        user_id -> UuidType,
        client_id -> UuidType,
        session_id -> UuidType,
        issuer -> Text,
        scope -> Text,
        resources -> Text,
        claims -> Nullable<Text>,
        auth_time -> InstantType,
        amr -> Text,
        acr -> Nullable<Text>,
        offline -> Bool,
        code_hash -> Binary,
        redirect_uri -> Nullable<Text>,
        nonce -> Nullable<Text>,
        code_challenge -> Nullable<Text>,
        code_expires_at -> InstantType,
        redeemed_at -> Nullable<InstantType>,
        revoked_at -> Nullable<InstantType>,
        created_at -> InstantType,
        expires_at -> InstantType,
        dpop_jkt -> Nullable<Binary>,
        authorization_details -> Nullable<Text>,
    }
    refresh_tokens (id) {
        id -> UuidType,
        grant_id -> UuidType,
        proof_hash -> Binary,
        created_at -> InstantType,
        expires_at -> InstantType,
        rotated_at -> Nullable<InstantType>,
        successor_id -> Nullable<UuidType>,
        dpop_jkt -> Nullable<Binary>,
        x5t_s256 -> Nullable<Binary>,
    }
    revoked_tokens (jti) { jti -> UuidType, expires_at -> InstantType, }
    assertion_ids (client_id, jti_hash) { client_id -> UuidType, jti_hash -> Binary, expires_at -> InstantType, }
    dpop_proofs (proof_hash) { proof_hash -> Binary, expires_at -> InstantType, }
    one_time_links (id) {
        id -> UuidType,
        user_id -> UuidType,
        proof_hash -> Binary,
        expires_at -> InstantType,
        consumed_at -> Nullable<InstantType>,
        by_administrator -> Bool,
    }
    pushed_requests (id) {
        id -> UuidType,
        client_id -> UuidType,
        proof_hash -> Binary,
        issuer -> Text,
        parameters -> Text,
        expires_at -> InstantType,
        consumed_at -> Nullable<InstantType>,
    }
    logout_deliveries (id) {
        id -> UuidType,
        client_id -> UuidType,
        user_id -> UuidType,
        session_id -> UuidType,
        issuer -> Text,
        state -> Text,
        attempts -> Integer,
        claimed -> Bool,
        due_at -> Nullable<InstantType>,
        last_error -> Nullable<Text>,
        created_at -> InstantType,
        ended_at -> Nullable<InstantType>,
        kind -> Text,
        request_id -> Nullable<UuidType>,
    }
    device_codes (id) {
        id -> UuidType,
        client_id -> UuidType,
        proof_hash -> Binary,
        user_code_hash -> Binary,
        issuer -> Text,
        scope -> Text,
        resources -> Text,
        address -> Text,
        poll_interval -> Integer,
        allowed_at -> Nullable<InstantType>,
        denied_at -> Nullable<InstantType>,
        created_at -> InstantType,
        expires_at -> InstantType,
        authorization_details -> Nullable<Text>,
    }
    device_secrets (id) {
        id -> UuidType,
        session_id -> UuidType,
        client_id -> UuidType,
        proof_hash -> Binary,
        created_at -> InstantType,
        last_used_at -> Nullable<InstantType>,
        expires_at -> InstantType,
    }
    assertion_grants (grant_id) { grant_id -> UuidType, issuer_hash -> Binary, name_hash -> Nullable<Binary>, }
    backchannel_requests (id) {
        id -> UuidType,
        client_id -> UuidType,
        user_id -> UuidType,
        proof_hash -> Binary,
        issuer -> Text,
        scope -> Text,
        resources -> Text,
        claims -> Nullable<Text>,
        binding_message -> Text,
        delivery_mode -> Text,
        sealed_notice -> Nullable<Binary>,
        poll_interval -> Integer,
        allowed_at -> Nullable<InstantType>,
        denied_at -> Nullable<InstantType>,
        expired_at -> Nullable<InstantType>,
        created_at -> InstantType,
        expires_at -> InstantType,
        authorization_details -> Nullable<Text>,
    }
    idempotency_keys (caller_id, key_hash) {
        caller_id -> UuidType,
        key_hash -> Binary,
        request_hash -> Binary,
        made_id -> UuidType,
        sealed_secret -> Nullable<Binary>,
        expires_at -> InstantType,
    }
    audit_events (id) {
        id -> UuidType,
        at -> InstantType,
        act -> Text,
        actor -> Text,
        user_id -> Nullable<UuidType>,
        client_id -> Nullable<UuidType>,
        request_id -> Nullable<Text>,
        address -> Nullable<Text>,
        detail -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(tenants, domain_owners);
diesel::allow_tables_to_appear_in_same_query!(
    grants,
    refresh_tokens,
    users,
    role_assignments,
    sessions
);
diesel::allow_tables_to_appear_in_same_query!(consents, clients);
diesel::allow_tables_to_appear_in_same_query!(consents, grants);
diesel::allow_tables_to_appear_in_same_query!(grants, clients);
diesel::allow_tables_to_appear_in_same_query!(grants, assertion_grants);
diesel::allow_tables_to_appear_in_same_query!(clients, sessions);
diesel::allow_tables_to_appear_in_same_query!(tenants, logout_deliveries);
diesel::allow_tables_to_appear_in_same_query!(tenants, backchannel_requests);
