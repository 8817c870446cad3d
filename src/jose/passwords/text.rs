//! What counts as the same password: one keyboard sends `é` as one character, another as two.
//!
//! NIST SP 800-63B §5.1.1.2 asks for a stable form before hashing; RFC 8265 §4.2 (`OpaqueString`) names it: spaces outside of ASCII become
//! U+0020, and then Normalization Form C. Left out: refusing control characters, which some password managers make.

use icu_normalizer::ComposingNormalizerBorrowed;
use zeroize::Zeroizing;

/// No text grows more than this by Form C, in UTF-8 (Unicode Standard Annex #15 §9).
const GROWTH: usize = 3;

/// The form in which passwords are hashed and compared. It is wiped when dropped.
pub fn prepare(password: &str) -> Zeroizing<String> {
    if password.is_ascii() {
        return Zeroizing::new(password.to_owned());
    }
    // Room enough from the start: growing would leave copies behind that nobody wipes.
    let mut prepared = Zeroizing::new(String::with_capacity(password.len() * GROWTH));
    let spaced = password.chars().map(plain_space);
    prepared.extend(ComposingNormalizerBorrowed::new_nfc().normalize_iter(spaced));
    prepared
}

/// The general category `Zs`, but for U+0020 itself.
fn plain_space(c: char) -> char {
    match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            ' '
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_8265_hold() {
        // §4.3
        for (came, counts) in [
            (
                "correct horse battery staple",
                "correct horse battery staple",
            ),
            (
                "Correct Horse Battery Staple",
                "Correct Horse Battery Staple",
            ),
            ("\u{3c0}\u{df}\u{e5}", "\u{3c0}\u{df}\u{e5}"),
            ("Jack of \u{2666}s", "Jack of \u{2666}s"),
            ("foo\u{1680}bar", "foo bar"),
        ] {
            assert_eq!(*prepare(came), counts);
        }
    }

    #[test]
    fn composed_and_decomposed_are_one() {
        for (decomposed, composed) in [
            ("e\u{301}", "\u{e9}"),
            ("\u{1112}\u{1161}\u{11ab}", "\u{d55c}"),
            ("q\u{307}\u{323}", "q\u{323}\u{307}"),
            ("\u{212b}", "\u{c5}"),
            ("\u{2000}", " "),
        ] {
            assert_eq!(*prepare(decomposed), composed);
            assert_eq!(*prepare(composed), composed);
        }
        // What merely looks alike stays apart: no compatibility forms, no case.
        for (one, other) in [
            ("\u{fb01}", "fi"),
            ("\u{ff21}", "A"),
            ("a", "A"),
            ("\u{131}", "i"),
            (" a", "a"),
        ] {
            assert_ne!(*prepare(one), *prepare(other));
        }
    }

    #[test]
    fn the_longest_text_fits_into_the_room() {
        // The worst that Form C does: one character of three bytes becomes three of three each.
        for worst in ["\u{fb2c}", "\u{1d160}", "\u{390}", "\u{958}"] {
            let text = worst.repeat(300);
            let prepared = prepare(&text);
            assert!(
                prepared.len() <= text.len() * GROWTH && prepared.capacity() == text.len() * GROWTH,
                "{worst}"
            );
        }
    }
}
