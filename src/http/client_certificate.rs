//! The certificate that a client has shown (RFC 8705): on a connection of its own to our listener, or to a proxy that hands it on in a header.
//!
//! A header counts only from a trusted proxy, and from such a proxy nothing else does: a certificate on its connection is the proxy's own.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web;

use super::telemetry::client_of;
use crate::flows::Provider;
use crate::jose::certificate::ClientCertificate;
use crate::protocol::OAuthError;
use crate::protocol::mutual_tls::read_chain;

/// What a connection has shown; part of the data that its requests share.
pub(super) struct Shown(pub(super) Arc<ClientCertificate>);

/// The certificate of whoever sends the request, if they have shown one. A header that can't be read is refused rather than taken for none: who is
/// at the other end isn't known then.
pub fn find_certificate(
    request: &HttpRequest,
) -> Result<Option<Arc<ClientCertificate>>, OAuthError> {
    let Some(provider) = request.app_data::<web::Data<Provider>>() else {
        return Ok(None);
    };
    let config = &provider.config;
    if !config.takes_client_certificates() {
        return Ok(None);
    }
    let through_proxy = client_of(request).is_some_and(|client| client.through_proxy);
    if !through_proxy {
        let shown = request.conn_data::<Shown>();
        return Ok(shown.map(|shown| Arc::clone(&shown.0)));
    }
    let Some(name) = &config.client_certificate_header else {
        return Ok(None);
    };
    let unreadable = || {
        OAuthError::invalid_request(
            "the header in which the proxy hands on the client's certificate, or what came with it, can't be read, or is there twice",
        )
    };
    let mut values = request.headers().get_all(name.as_str());
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(unreadable());
    }
    let text = value.to_str().map_err(|_| unreadable())?;
    let der = config
        .client_certificate_format
        .read(text)
        .map_err(|_| unreadable())?;
    let Some(der) = der else { return Ok(None) };
    let chain = match &config.client_certificate_chain_header {
        Some(name) => {
            let values = request.headers().get_all(name.as_str());
            let values: Result<Vec<&str>, _> = values.map(|value| value.to_str()).collect();
            read_chain(values.map_err(|_| unreadable())?.into_iter()).map_err(|_| unreadable())?
        }
        None => Vec::new(),
    };
    ClientCertificate::from_der(&der, &chain)
        .map(|certificate| Some(Arc::new(certificate)))
        .map_err(|_| unreadable())
}
