//! Mistakes that were made once, and rules of the tree that a compiler doesn't hold.

mod console_book;
mod fuzzing;
mod layers;
mod password_costs;
mod timing;
