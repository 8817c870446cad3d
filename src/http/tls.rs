//! TLS of the server's own: which certificates, what is offered, and renewed ones without a restart.
//!
//! A listener keeps the context that it was bound with, and each handshake is moved to the newest one by OpenSSL's callback for the server's
//! name, which is called whether a client sends a name or not. What a connection takes from its first context (the certificates that it asks
//! for, no resumption) is the same in all of them.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::TimeDelta;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    AlpnError, SniError, SslAcceptor, SslAcceptorBuilder, SslContext, SslMethod, SslOptions,
    SslSessionCacheMode, SslVerifyMode,
};
use openssl::x509::X509;

use crate::clock::Timestamp;
use crate::config::Config;

/// What is offered to whoever doesn't speak TLS 1.3.
const TLS_1_2_SUITES: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

/// Whether clients are asked for certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// They aren't.
    Nothing,
    /// They are, and may come without.
    Certificates,
}

/// A listener that speaks TLS, and where its certificate and key are.
#[derive(Clone, Debug)]
pub struct TlsListener {
    /// The setting that names the address.
    pub setting: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    certificate: (&'static str, PathBuf),
    key: (&'static str, PathBuf),
    asks: Asks,
}

/// Why a certificate or its key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file can't be read.
    #[error("`{setting}` {} can't be read: {error}", path.display())]
    Unreadable {
        /// The setting that names it.
        setting: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is something else in it.
    #[error("`{setting}` {} {problem}", path.display())]
    Unusable {
        /// The setting that names it.
        setting: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Each is good, and they don't belong together.
    #[error(
        "the key in `{key_setting}` {} doesn't belong to the first certificate in `{certificate_setting}` {}",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The setting that names the key.
        key_setting: &'static str,
        /// The key's file.
        key: PathBuf,
        /// The setting that names the certificate.
        certificate_setting: &'static str,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// OpenSSL doesn't take them for another reason.
    #[error("TLS can't be set up for `{setting}`: {error}")]
    Refused {
        /// The setting of the listener.
        setting: &'static str,
        /// What OpenSSL says.
        error: ErrorStack,
    },
}

/// What a listener needs, read and found good.
pub struct Loaded {
    /// For the listener.
    pub acceptor: SslAcceptorBuilder,
    expires: Vec<i64>,
}

impl Loaded {
    /// How long the certificate is good still; that of the chain which ends first.
    pub fn good_for(&self, now: Timestamp) -> TimeDelta {
        let first = self.expires.iter().min().copied().unwrap_or(i64::MAX);
        TimeDelta::try_seconds(first.saturating_sub(now.timestamp())).unwrap_or(TimeDelta::MAX)
    }
}

impl TlsListener {
    /// Those that the settings ask for.
    pub fn of(config: &Config) -> Vec<Self> {
        let listener =
            |names: [&'static str; 3], address: Option<_>, files: [&Option<PathBuf>; 2], asks| {
                Some(Self {
                    setting: names[0],
                    address: address?,
                    certificate: (names[1], files[0].clone()?),
                    key: (names[2], files[1].clone()?),
                    asks,
                })
            };
        let own = listener(
            ["tls_listen", "tls_certificate_file", "tls_key_file"],
            config.tls_listen,
            [&config.tls_certificate_file, &config.tls_key_file],
            Asks::Nothing,
        );
        let mutual = listener(
            ["mtls_listen", "mtls_certificate_file", "mtls_key_file"],
            config.mtls_listen,
            [&config.mtls_certificate_file, &config.mtls_key_file],
            Asks::Certificates,
        );
        own.into_iter().chain(mutual).collect()
    }

    /// Where its certificate is.
    pub fn certificate_file(&self) -> &Path {
        &self.certificate.1
    }

    /// Reads certificate and key, and says which of them is wrong.
    pub fn load(&self) -> Result<Loaded, TlsError> {
        let unusable = |(setting, path): &(&'static str, PathBuf), problem| TlsError::Unusable {
            setting,
            path: path.clone(),
            problem,
        };
        let text = read(&self.certificate)?;
        let chain = X509::stack_from_pem(&text).unwrap_or_default();
        let Some((own, issuers)) = chain.split_first() else {
            return Err(unusable(
                &self.certificate,
                "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
            ));
        };
        let text = zeroize::Zeroizing::new(read(&self.key)?);
        // A key under a password would have OpenSSL ask for it at the terminal.
        let key = PKey::private_key_from_pem_callback(&text, |_| Ok(0)).map_err(|_| {
            unusable(
                &self.key,
                "holds no private key in PEM (-----BEGIN PRIVATE KEY-----) that opens without a password",
            )
        })?;
        let fits = own.public_key().is_ok_and(|public| public.public_eq(&key));
        if !fits {
            return Err(TlsError::Mismatch {
                key_setting: self.key.0,
                key: self.key.1.clone(),
                certificate_setting: self.certificate.0,
                certificate: self.certificate.1.clone(),
            });
        }
        let refused = |error| TlsError::Refused {
            setting: self.setting,
            error,
        };
        let expires: Result<Vec<i64>, ErrorStack> =
            chain.iter().map(|one| unix(one.not_after())).collect();
        let acceptor = acceptor(own, issuers, &key, self.asks).map_err(refused)?;
        Ok(Loaded {
            acceptor,
            expires: expires.map_err(refused)?,
        })
    }
}

fn read((setting, path): &(&'static str, PathBuf)) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Unreadable {
        setting,
        path: path.clone(),
        error,
    })
}

fn unix(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let difference = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(difference.days) * 86_400 + i64::from(difference.secs))
}

fn acceptor(
    own: &X509,
    issuers: &[X509],
    key: &PKey<openssl::pkey::Private>,
    asks: Asks,
) -> Result<SslAcceptorBuilder, ErrorStack> {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    // FAPI 2.0 Security Profile §5.2.2 has services offered the suites of RFC 9325 §4.2 and no others; TLS 1.3 has none that aren't good.
    acceptor.set_cipher_list(TLS_1_2_SUITES)?;
    acceptor.set_certificate(own)?;
    for issuer in issuers {
        acceptor.add_extra_chain_cert(issuer.clone())?;
    }
    acceptor.set_private_key(key)?;
    acceptor.check_private_key()?;
    if asks == Asks::Certificates {
        ask_for_certificates(&mut acceptor)?;
    }
    Ok(acceptor)
}

/// Has clients asked for a certificate, and takes any: that whoever shows one holds its key is proved by the handshake, and whose it is and who
/// issued it is checked for each request, as tenants trust different authorities. Nothing is resumed, as a resumed connection has lost what
/// came with the certificate.
fn ask_for_certificates(acceptor: &mut SslAcceptorBuilder) -> Result<(), ErrorStack> {
    acceptor.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    acceptor.set_session_cache_mode(SslSessionCacheMode::OFF);
    acceptor.set_options(SslOptions::NO_TICKET);
    acceptor.set_num_tickets(0)
}

/// The protocol that is spoken, as actix chooses it for the context that it knows.
fn choose_protocol(acceptor: &mut SslAcceptorBuilder) {
    acceptor.set_alpn_select_callback(|_, offered| {
        let has = |protocol: &[u8]| {
            let mut left = offered;
            while let Some((length, rest)) = left.split_first() {
                let Some((name, rest)) = rest.split_at_checked(usize::from(*length)) else {
                    return false;
                };
                if name == protocol {
                    return true;
                }
                left = rest;
            }
            false
        };
        if has(b"h2") {
            Ok(b"h2")
        } else if has(b"http/1.1") {
            Ok(b"http/1.1")
        } else {
            Err(AlpnError::NOACK)
        }
    });
}

/// The certificates that new connections are shown, of every listener that speaks TLS.
#[derive(Clone, Default)]
pub struct Certificates(Arc<Vec<Shown>>);

struct Shown {
    listener: TlsListener,
    newest: Arc<ArcSwap<SslContext>>,
}

impl Certificates {
    /// Reads them all, and says what each listener is to be bound with.
    pub fn load(
        listeners: Vec<TlsListener>,
    ) -> Result<(Self, Vec<(TlsListener, SslAcceptorBuilder)>), TlsError> {
        let (mut shown, mut bound) = (Vec::new(), Vec::new());
        for listener in listeners {
            let newest = Arc::new(ArcSwap::from_pointee(newest(&listener)?));
            let mut acceptor = listener.load()?.acceptor;
            let current = Arc::clone(&newest);
            acceptor.set_servername_callback(move |ssl, _| {
                ssl.set_ssl_context(&current.load())
                    .map_err(|_| SniError::ALERT_FATAL)
            });
            bound.push((listener.clone(), acceptor));
            shown.push(Shown { listener, newest });
        }
        Ok((Self(Arc::new(shown)), bound))
    }

    /// Reads them anew. Where one can't be used, the log says so, and its listener goes on with the one before.
    pub fn reload(&self) {
        for shown in self.0.iter() {
            let setting = shown.listener.setting;
            match newest(&shown.listener) {
                Ok(context) => {
                    shown.newest.store(Arc::new(context));
                    tracing::info!(
                        listener = setting,
                        file = %shown.listener.certificate_file().display(),
                        "new connections are shown the certificate that is in the file now"
                    );
                }
                Err(error) => {
                    tracing::error!(listener = setting, %error, "the certificate that was shown before is kept");
                }
            }
        }
    }
}

fn newest(listener: &TlsListener) -> Result<SslContext, TlsError> {
    let mut acceptor = listener.load()?.acceptor;
    choose_protocol(&mut acceptor);
    Ok(acceptor.build().into_context())
}
