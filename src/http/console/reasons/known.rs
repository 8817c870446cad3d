//! What the core says, and the messages that say it in the console's own words.
//!
//! Of several patterns that a text fits the first counts: those that others begin or end like stand last.

/// What the core says, `{}` for what varies in it, and the message that says it here: with `$value`, `$other`, `$third` and `$fourth` for those.
pub(super) const KNOWN: &[(&str, &str)] = &[
    ("is longer than 2048 characters", "reason-uri-long"),
    (
        "contains a character that a URI can't hold unencoded (RFC 3986); write international host names in their ASCII form",
        "reason-uri-character",
    ),
    ("is not an absolute URI", "reason-uri-absolute"),
    ("must not contain a fragment", "reason-uri-fragment"),
    (
        "must not contain a user name or password",
        "reason-uri-user",
    ),
    (
        "is ambiguous: write the host in lower-case ASCII and the path without dot segments",
        "reason-uri-ambiguous",
    ),
    (
        "has a host with other characters than letters, digits, hyphens, dots and underscores",
        "reason-uri-host",
    ),
    (
        "must use https, or http with the host localhost, 127.0.0.1 or [::1]",
        "reason-uri-https",
    ),
    ("must use https", "reason-uri-only-https"),
    ("the URL must begin with https://", "reason-uri-only-https"),
    (
        "must be origins such as https://app.example.com, without a path",
        "reason-origins",
    ),
    (
        "must be 1 to {} characters without control characters",
        "reason-length",
    ),
    (
        "a name has 1 to {} characters, no control characters and no space at its ends",
        "reason-name",
    ),
    (
        "has 1 to {} characters, no control characters and no space at its ends",
        "reason-name",
    ),
    (
        "has 1 to {} bytes and no control characters",
        "reason-bytes",
    ),
    ("names a value twice", "reason-twice"),
    (
        "holds more than 100 localized values",
        "reason-localized-many",
    ),
    ("holds more than {} values", "reason-too-many"),
    ("a tenant has at most {} domains", "reason-domains-most"),
    ("a tenant has at most {} resources", "reason-resources-most"),
    (
        "not an e-mail address; write it as name@example.com",
        "reason-email",
    ),
    ("must be an http or https URL", "reason-web"),
    (
        "must be a time zone name such as Europe/Paris",
        "reason-zone",
    ),
    ("must be a language tag such as de-CH", "reason-language"),
    ("must be YYYY-MM-DD, 0000-MM-DD or YYYY", "reason-birthdate"),
    (
        "must be a telephone number such as +41 44 123 45 67",
        "reason-phone",
    ),
    (
        "must be an address without path or query, like https://login.example.com",
        "reason-domain-path",
    ),
    (
        "must be a web address, like https://login.example.com",
        "reason-uri-absolute",
    ),
    (
        "must begin with https:// (http:// only for this very machine, or a host that `egress_allow` lists)",
        "reason-domain-https",
    ),
    (
        "is under `{}` ({}), where tenants have their addresses anyway",
        "reason-domain-own",
    ),
    (
        "has a host that DNS can't hold: {} characters between two dots and {} in all are the most",
        "reason-domain-dns",
    ),
    (
        "must be a domain name, like https://login.example.com: nobody else reaches an IP address, localhost or a name without a dot as yours",
        "reason-domain-name",
    ),
    (
        "a slug is 1 to 63 characters of a-z and 0-9, with single hyphens between them",
        "reason-slug",
    ),
    (
        "this slug is reserved; choose another",
        "reason-slug-reserved",
    ),
    ("a resource has 1 to {} scopes", "reason-scopes"),
    (
        "`{}` is no scope-token (RFC 6749 section 3.3): visible ASCII characters without space, quote and backslash",
        "reason-scope-token",
    ),
    (
        "`{}` has a meaning of its own (OpenID Connect, or this server's) and can't be a resource's",
        "reason-scope-own",
    ),
    ("`{}` is named twice", "reason-named-twice"),
    (
        "is that of the administration API of this server",
        "reason-admin-api",
    ),
    ("must be a JSON array", "reason-list"),
    (
        "{} is the last administrator here who can sign in; make somebody else an administrator first",
        "reason-last-administrator",
    ),
    (
        "{} is disabled; enable the account first",
        "reason-disabled",
    ),
    (
        "{} administers more than you do; ask an administrator",
        "reason-more-power",
    ),
    (
        "only an administrator says who administers",
        "reason-administrators-only",
    ),
    ("{} is more than your roles allow", "reason-roles"),
    (
        "{} is for operators of the installation",
        "reason-operators",
    ),
    (
        "the domain has to be verified before it can be the canonical address",
        "reason-domain-unproved",
    ),
    (
        "it was delivered; there is nothing to try again",
        "notices-not-retried",
    ),
    (
        "it is being delivered at this moment",
        "notices-not-retried",
    ),
    (
        "`{}` belongs to none of the tenant's resources; give it to one first",
        "reason-no-api-has",
    ),
    (
        "the tenant has no resource `{}`; make it first",
        "reason-no-api",
    ),
    (
        "`{}` is neither a resource of the tenant nor a client_id",
        "reason-no-target",
    ),
    (
        "nobody signs in with this client, so there is nothing to try",
        "reason-nobody-signs-in",
    ),
    ("the URL is malformed", "reason-uri-absolute"),
    ("the host has no public address", "reason-host-private"),
    ("the host can't be reached: {}", "reason-host-unreachable"),
    ("the host took too long to answer", "reason-host-slow"),
    (
        "too many outward requests are under way",
        "reason-host-busy",
    ),
    (
        "too many outward requests were before this one",
        "reason-host-busy",
    ),
    (
        "outward requests have been shut down",
        "reason-host-stopped",
    ),
    (
        "the host answered with a redirect ({}), which isn't followed",
        "reason-host-redirect",
    ),
    ("the host answered with status {}", "reason-host-status"),
    ("the answer is larger than {} bytes", "reason-host-large"),
    ("the answer isn't of content type {}", "reason-host-type"),
    ("the answer is malformed", "reason-host-malformed"),
    ("must be an absolute URI", "reason-uri-any"),
    ("is longer than 512 characters", "reason-request-uri-long"),
    (
        "has a fragment that is empty or holds what a URI's fragment can't",
        "reason-request-uri-fragment",
    ),
    (
        "must be 1 to {} characters without control characters but line ends",
        "reason-lines",
    ),
    ("must be an e-mail address", "reason-email"),
    (
        "must be texts of 1 to {} visible ASCII characters",
        "reason-ascii-each",
    ),
    (
        "must be a text of 1 to {} visible ASCII characters: a client_id, or a person's sub",
        "reason-may-act",
    ),
    (
        "must be a text of 1 to {} visible ASCII characters",
        "reason-ascii",
    ),
    ("must be {} to {} seconds", "reason-seconds"),
    ("must be at most {} seconds (90 days)", "reason-overlap"),
    ("must be between {} and {}, not {}", "reason-between"),
    ("is unknown or not supported", "reason-localized-unknown"),
    (
        "scope is too long: at most 100 scope tokens in 4096 bytes are accepted",
        "reason-scope-long",
    ),
    (
        "scope contains a character that RFC 6749 section 3.3 does not allow; separate scopes by single spaces",
        "reason-scope-character",
    ),
    ("must name at least one grant type", "reason-grant-wanted"),
    (
        "refresh_token needs authorization_code, the device_code grant or the ciba grant, as no other grant issues refresh tokens",
        "reason-grant-refresh",
    ),
    (
        "token-exchange is for confidential clients, and for public ones by device secrets alone (native_sso_group); choose another token_endpoint_auth_method",
        "reason-grant-exchange",
    ),
    (
        "client_credentials is for confidential clients only; choose another token_endpoint_auth_method",
        "reason-grant-client-credentials",
    ),
    (
        "jwt-bearer is for confidential clients only; choose another token_endpoint_auth_method",
        "reason-grant-jwt-bearer",
    ),
    (
        "ciba is for confidential clients only; choose another token_endpoint_auth_method",
        "reason-grant-ciba",
    ),
    (
        "{} needs the grant type {}; name it in grant_types",
        "reason-response-grant",
    ),
    (
        "authorization_code needs a response type with code; take it out of grant_types, or name one in response_types",
        "reason-grant-code",
    ),
    (
        "implicit needs a response type with id_token or token; take it out of grant_types, or name one in response_types",
        "reason-grant-implicit",
    ),
    (
        "{} has a token that comes through the browser, which this tenant forbids (its setting front_channel_tokens); use code",
        "reason-response-forbidden",
    ),
    (
        "excludes response types with token, whose access tokens can't be bound to anything",
        "reason-bound-response",
    ),
    (
        "excludes dpop_bound_access_tokens: a token is bound to a key or to a certificate",
        "reason-bound-twice",
    ),
    ("jwks and jwks_uri exclude each other", "reason-keys-twice"),
    ("{} needs jwks or jwks_uri", "reason-keys-method"),
    (
        "needs jwks or jwks_uri, as what they lead to has to be signed",
        "reason-keys-request-uris",
    ),
    ("needs jwks or jwks_uri", "reason-keys-wanted"),
    (
        "needs a key in jwks that may be encrypted to by {}: of {}, and with use enc or none",
        "reason-keys-encryption",
    ),
    (
        "applies to private_key_jwt and client_secret_jwt only",
        "reason-assertion-only",
    ),
    (
        "private_key_jwt needs an algorithm of keys, not of secrets",
        "reason-assertion-key",
    ),
    (
        "client_secret_jwt is signed by HS256",
        "reason-assertion-secret",
    ),
    (
        "must be an object with a member 'keys' that is an array of objects",
        "reason-jwks-shape",
    ),
    ("must hold 1 to 20 keys", "reason-jwks-count"),
    (
        "contains a private key: register the public part only, and consider this key compromised",
        "reason-jwks-private",
    ),
    (
        "contains a key of an unsupported type; use RSA, EC with P-256, or OKP with Ed25519 or X25519",
        "reason-jwks-type",
    ),
    (
        "contains a key with a missing or malformed member",
        "reason-jwks-member",
    ),
    (
        "contains an RSA key that is shorter than 2048 or longer than 8192 bits",
        "reason-jwks-size",
    ),
    ("contains two keys with the same kid", "reason-jwks-kid"),
    (
        "needs clients' certificates, which this installation doesn't take: its operators can configure mtls_listen or client_certificate_header",
        "reason-no-certificates",
    ),
    (
        "tls_client_auth needs one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip and _san_email",
        "reason-certificate-wanted",
    ),
    ("applies to tls_client_auth only", "reason-certificate-only"),
    (
        "excludes the other members by which a certificate can name the client",
        "reason-certificate-one",
    ),
    (
        "must be a host name such as orders.example.com, without a wildcard",
        "reason-certificate-host",
    ),
    (
        "must be an IP address such as 192.0.2.7 or 2001:db8::7",
        "reason-certificate-ip",
    ),
    (
        "must be a distinguished name as RFC 4514 writes it, such as CN=orders,O=Example,C=DK: attributes with string values, the most specific first",
        "reason-certificate-name",
    ),
    (
        "needs a key of the tenant that this one doesn't publish (its setting request_object_encryption)",
        "reason-no-encryption-key",
    ),
    (
        "must have the scheme, host and port of one of redirect_uris",
        "reason-logout-origin",
    ),
    (
        "must use https and another host than localhost or the loopback where implicit is among grant_types; http on the loopback is for application_type native",
        "reason-redirect-implicit",
    ),
    (
        "authorization_code and implicit need at least one redirect URI",
        "client-redirect-wanted",
    ),
    (
        "pairwise needs redirect URIs that all have the same host, or a sector_identifier_uri",
        "reason-sector-hosts",
    ),
    (
        "pairwise needs a sector_identifier_uri of a client that registered itself and gets tokens by a device or the back channel as well as at its redirect URIs; or register a client for each",
        "reason-sector-own",
    ),
    (
        "must lead to a JSON array of redirect URIs",
        "reason-sector-list",
    ),
    (
        "leads to an array that lacks the redirect URI {}",
        "reason-sector-lacks",
    ),
    (
        "leads to an array that lacks {}, which has to stand in it, as tokens don't come by way of redirect URIs alone",
        "reason-sector-proof",
    ),
    (
        "can't be proved by redirect URIs, as tokens come otherwise too: it needs a jwks_uri in its array, and token_endpoint_auth_method private_key_jwt or self_signed_tls_client_auth; or, where tokens are only pushed, the backchannel_client_notification_endpoint",
        "reason-sector-unproved",
    ),
    (
        "must be poll, ping or push where ciba is among grant_types",
        "reason-delivery-wanted",
    ),
    (
        "is needed by backchannel_token_delivery_mode ping and push",
        "reason-notification-wanted",
    ),
    (
        "push excludes tokens that are bound to a key or a certificate; use ping",
        "reason-push-bound",
    ),
    (
        "needs authorization_code among grant_types, to begin sessions that are shared, or token-exchange, to join them",
        "reason-group-grants",
    ),
    (
        "a device secret, which is bound to no key, signs nobody in",
        "reason-profile-group",
    ),
    (
        "must be private_key_jwt, tls_client_auth or self_signed_tls_client_auth",
        "reason-profile-method",
    ),
    (
        "must not name implicit or the device_code grant",
        "reason-profile-grants",
    ),
    ("must be code alone", "reason-profile-code"),
    (
        "must use https; http on the loopback is for application_type native",
        "reason-profile-https",
    ),
    ("must be poll or ping", "reason-profile-delivery"),
    ("must be PS256, ES256 or EdDSA", "reason-profile-requests"),
    (
        "must be PS256, ES256, EdDSA or Ed25519",
        "reason-profile-algorithms",
    ),
    (
        "the console's client is built in: it is made and kept by the server itself",
        "reason-built-in",
    ),
    (
        "this client stands in for another one while somebody tries that out: it is made and deleted by the server itself",
        "reason-stand-in",
    ),
    (
        "a client with token_exchange_impersonation gets tokens that hide who uses them; only an administrator makes or changes one",
        "reason-impersonation",
    ),
    (
        "a client with native_sso_group signs people in by the sessions of other applications; only an administrator makes or changes one",
        "reason-shares-sessions",
    ),
    (
        "a client with the scope {} administers the tenant; only an administrator makes or changes one",
        "reason-administers",
    ),
    (
        "the client has no secret: its token_endpoint_auth_method is {}",
        "reason-no-secret",
    ),
    (
        "this tenant publishes no key to encrypt to; switch its setting request_object_encryption on first",
        "reason-no-encryption-key",
    ),
    (
        "{} keys are published, and more than {} are too many for some verifiers; wait until the oldest has left the set, or revoke one",
        "reason-keys-many",
    ),
    (
        "another tenant has proved {} to be its own; it must be removed there first",
        "domains-elsewhere",
    ),
    (
        "the tenant of the operators can't be suspended: nobody could resume it from outside",
        "reason-operators-tenant",
    ),
    (
        "the tenant of the operators can't be deleted",
        "reason-operators-tenant",
    ),
    ("the tenant `{}` is being deleted", "reason-being-deleted"),
    (
        "the master key was rotated after this process had read it; start it again with the new key",
        "reason-master-key",
    ),
    ("is nobody of this tenant", "names-nobody"),
    (
        "a person has at most {} names at issuers",
        "reason-names-most",
    ),
    ("a resource has at most {} types", "reason-types-most"),
    (
        "the types of one resource have at most {} bytes",
        "reason-types-large",
    ),
    (
        "another resource of this tenant has the type `{}`",
        "reason-type-taken",
    ),
    (
        "a type must be called by 1 to {} visible ASCII characters",
        "reason-type-name",
    ),
    (
        "{} of `{}` must hold at most {} texts of 1 to {} characters",
        "reason-type-values",
    ),
    (
        "fields of `{}` must be at most {}, called by letters, digits, _ and -, and none that RFC 9396 section 2.2 names",
        "reason-type-fields",
    ),
    (
        "`{}` requires `{}`, which it doesn't know",
        "reason-type-requires",
    ),
    (
        "words of `{}` must stand under languages, as `en`",
        "reason-type-languages",
    ),
    (
        "words of `{}` must be 1 to {} characters, without control characters",
        "reason-type-words",
    ),
    (
        "words of `{}` name `{}`, which it doesn't know",
        "reason-type-place",
    ),
    (
        "must have {} bytes at most, keys included; name large sets of keys by jwks_uri",
        "reason-issuers-large",
    ),
    ("names `{}` twice", "reason-named-twice"),
    ("`{}` needs either jwks_uri or jwks", "reason-issuer-keys"),
    (
        "clients of `{}` must be 1 to 100 client_ids",
        "reason-issuer-clients",
    ),
    (
        "scope of `{}` has `{}`, which no assertion gives: only scopes of the tenant's resources",
        "reason-issuer-scope",
    ),
    (
        "max_lifetime of `{}` must be 60 to 3600",
        "reason-issuer-lifetime",
    ),
    (
        "an issuer must have 1 to {} bytes and no spaces",
        "reason-issuer-name",
    ),
    (
        "must be certificates in PEM, one after the other, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----",
        "reason-authorities",
    ),
    ("must be {} certificates at most", "reason-too-many"),
    (
        "must be lists in PEM, one after the other, from {} to {}",
        "reason-lists",
    ),
    (
        "must be complete lists that say when the next one comes: neither changes to another list (deltaCRLIndicator) nor one of several (issuingDistributionPoint)",
        "reason-lists-whole",
    ),
    ("must be {} lists at most", "reason-too-many"),
    ("must have {} bytes at most", "reason-large"),
    ("must be {} at most", "reason-too-many"),
    (
        "nobody wants to be told of it any more: the address was taken away",
        "notices-not-wanted",
    ),
    (
        "the request is over: decided on, expired or cleared away",
        "notices-over",
    ),
    ("the token couldn't be made", "notices-not-made"),
    ("needs {}", "reason-needs"),
    ("must be {} to {}", "reason-from-to"),
];

/// What the core says with a reason of its own within it: which of the open parts that is, and the message, which gets it in words.
pub(super) const AROUND: &[(&str, usize, &str)] = &[
    ("{} under the security profile {}", 0, "reason-profile"),
    ("jwks_uri of `{}`: {}", 1, "reason-issuer-address"),
    ("jwks of `{}`: {}", 1, "reason-issuer-jwks"),
    ("the resource {}", 0, "reason-identifier"),
];

/// What the reader of JSON says of something within it.
pub(super) const READ: &[(&str, &str)] = &[
    (
        "missing field `{}` at line {} column {}",
        "reason-json-missing",
    ),
    (
        "duplicate field `{}` at line {} column {}",
        "reason-json-twice",
    ),
    (
        "unknown field `{}`, {} at line {} column {}",
        "reason-json-unknown",
    ),
    (
        "unknown variant `{}`, {} at line {} column {}",
        "reason-json-variant",
    ),
    (
        "invalid type: {}, {} at line {} column {}",
        "reason-json-type",
    ),
    (
        "invalid value: {}, {} at line {} column {}",
        "reason-json-value",
    ),
    (
        "invalid length {}, {} at line {} column {}",
        "reason-json-value",
    ),
    (
        "scope contains a character that RFC 6749 section 3.3 does not allow; separate scopes by single spaces at line {} column {}",
        "reason-scope-character",
    ),
];
