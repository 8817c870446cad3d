//! Settings: typed, validated once, documenting themselves.
