//! Patterns with `*` and `?`: the matcher, and the same as a pattern of SQL's LIKE.

/// A pattern that is compared with a whole value. `*` stands for any characters, `?` for one, a
/// backslash takes both at their word. The letters A to Z match in either case; others only
/// themselves, because servers differ in what they hold the case of other letters to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<Piece>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Any,
    One,
    Is(char),
}

impl Glob {
    /// Reads a pattern; every text is one.
    pub fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let piece = match c {
                // Two stars are one, and cost the matcher less so.
                '*' if pieces.last() == Some(&Piece::Any) => continue,
                '*' => Piece::Any,
                '?' => Piece::One,
                '\\' => Piece::Is(chars.next_if(|c| matches!(c, '*' | '?' | '\\')).unwrap_or('\\')),
                c => Piece::Is(c),
            };
            pieces.push(piece);
        }
        Self(pieces)
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut piece) = (0, 0);
        // Where the last star is, and how much of the text it has taken so far.
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(piece) {
                Some(Piece::Any) => {
                    star = Some((piece, at));
                    piece += 1;
                    continue;
                }
                Some(Piece::One) => {
                    (at, piece) = (at + 1, piece + 1);
                    continue;
                }
                Some(Piece::Is(c)) if c.eq_ignore_ascii_case(&text[at]) => {
                    (at, piece) = (at + 1, piece + 1);
                    continue;
                }
                _ => {}
            }
            // It does not go on from here: the last star takes one character more.
            let Some((star_piece, taken)) = star else { return false };
            star = Some((star_piece, taken + 1));
            (at, piece) = (taken + 1, star_piece + 1);
        }
        self.0[piece..].iter().all(|p| *p == Piece::Any)
    }

    /// As a pattern of LIKE, whose own signs stand escaped where they are meant as they are.
    pub fn like(&self) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Any => out.push('%'),
                Piece::One => out.push('_'),
                Piece::Is(c) => {
                    if matches!(c, '%' | '_' | '\\') {
                        out.push('\\');
                    }
                    out.push(*c);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_about_the_whole_value() {
        let cases: [(&str, &[&str], &[&str]); 8] = [
            ("hap*", &["hAP", "HAP ac²", "hap*"], &["xhap", "ha"]),
            ("*ac*", &["ac", "hAP ac lite", "acac"], &["a c", ""]),
            ("h?P", &["hAP", "h²p"], &["hP", "hAAP"]),
            ("a*b*c", &["abc", "axxbxxc", "abbcc"], &["acb", "abcd"]),
            (r"50\%_\*\", &[r"50\%_*\"], &[r"50\%_x\", r"50%_*\"]),
            ("", &[""], &["x"]),
            ("*", &["", "x"], &[]),
            ("Š*", &["Šķūnis"], &["šķūnis"]),
        ];
        for (pattern, yes, no) in cases {
            let glob = Glob::new(pattern);
            for text in yes {
                assert!(glob.matches(text), "{pattern} {text}");
            }
            for text in no {
                assert!(!glob.matches(text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn many_stars_cost_no_more_than_a_walk() {
        let glob = Glob::new(&"*a".repeat(2_000));
        assert!(!glob.matches(&"a".repeat(1_999)));
        assert!(glob.matches(&"a".repeat(2_000)));
    }

    #[test]
    fn signs_of_like_are_escaped() {
        assert_eq!(Glob::new(r"a*b?c%d_e\f\*").like(), r"a%b_c\%d\_e\\f*");
    }
}
