//! Mistakes that were made once, and rules of the tree that a compiler doesn't hold.

mod difference;
mod fuzzing;
mod layers;
