//! Why an outward request failed. No message holds anything that the other side sent.

/// Why there is no answer to an outward request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Not a URL, or one without a host or with a user name in it.
    #[error("the URL is malformed")]
    Url,
    /// Plain http to a host that `egress_allow` doesn't list.
    #[error("the URL must begin with https://")]
    NotHttps,
    /// The host's name leads to no public address, and `egress_allow` doesn't list it.
    #[error("the host has no public address")]
    Blocked,
    /// The host's name isn't known, or no connection could be made.
    #[error("the host can't be reached: {0}")]
    Unreachable(String),
    /// The answer wasn't complete within `egress_timeout`.
    #[error("the host took too long to answer")]
    Deadline,
    /// The tenant has too many outward requests under way.
    #[error("too many outward requests are under way")]
    Busy,
    /// Too many were before this one: `egress_timeout` was over before its turn, or most of it, so that the host was never given its time.
    #[error("too many outward requests were before this one")]
    Late,
    /// A redirect; none is followed.
    #[error("the host answered with a redirect ({0}), which isn't followed")]
    Redirect(u16),
    /// A status other than the expected ones.
    #[error("the host answered with status {0}")]
    Status(u16),
    /// The body is larger than it may be.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The body isn't of the expected type.
    #[error("the answer isn't of content type {0}")]
    ContentType(&'static str),
    /// The body isn't what its type says.
    #[error("the answer is malformed")]
    Malformed,
    /// The process is ending.
    #[error("outward requests have been shut down")]
    Stopped,
}

impl EgressError {
    /// Whether the same request may be answered a little later, so that whoever waits for it is told to try again rather than that they are
    /// wrong: nothing came, or what came is a failure of the other side's own (5xx) or its word that it was asked too often (429).
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Busy | Self::Late | Self::Stopped | Self::Deadline | Self::Unreachable(_) => true,
            Self::Status(status) => *status >= 500 || *status == 429,
            Self::Url
            | Self::NotHttps
            | Self::Blocked
            | Self::Redirect(_)
            | Self::TooLarge(_)
            | Self::ContentType(_)
            | Self::Malformed => false,
        }
    }

    /// Whether the other side was asked: where there was no place or no time left, or the process ends, nothing is known of it.
    pub const fn was_asked(&self) -> bool {
        !matches!(self, Self::Busy | Self::Late | Self::Stopped)
    }
}

/// Why the client couldn't be made.
#[derive(Debug, thiserror::Error)]
pub enum EgressSetupError {
    /// `egress_ca_file` can't be used.
    #[error(
        "`egress_ca_file` {path} can't be used: {problem}; write a file of certificates in PEM"
    )]
    CaFile {
        /// The file as it was named.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The thread couldn't be started.
    #[error("the thread for outward requests can't be started: {0}")]
    Thread(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_otherwise_soon_is_told_from_what_stays() {
        let passing = [
            EgressError::Busy,
            EgressError::Late,
            EgressError::Stopped,
            EgressError::Deadline,
            EgressError::Unreachable("refused".to_owned()),
            EgressError::Status(500),
            EgressError::Status(503),
            EgressError::Status(429),
        ];
        assert!(passing.iter().all(EgressError::is_passing));
        let lasting = [
            EgressError::Url,
            EgressError::NotHttps,
            EgressError::Blocked,
            EgressError::Redirect(302),
            EgressError::Status(404),
            EgressError::Status(400),
            EgressError::TooLarge(1),
            EgressError::ContentType("application/json"),
            EgressError::Malformed,
        ];
        assert!(!lasting.iter().any(EgressError::is_passing));
    }
}
