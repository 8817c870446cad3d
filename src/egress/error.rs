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
