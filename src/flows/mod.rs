//! One use case a file: what happens at an endpoint, without HTTP.
