//! Protocol Buffers' text format, read into attributes. It knows the grammar and no message types: numbers, words and
//! strings stay text until somebody asks for them.

use synapress_model::attributes::{Attributes, Value};

use crate::error::Fault;

/// Messages may be nested this deep.
pub const DEPTH: usize = 32;

/// Reads a text: `name: value`, `name { ... }`, `name: [a, b]`, comments from `#` to the end of the line.
///
/// A list gives one field for each element. Hexadecimal and octal numbers become decimal ones, a trailing `f` is
/// dropped, adjacent strings are joined.
///
/// # Errors
/// [`Fault::Syntax`] with the line.
pub fn parse(text: &str) -> Result<Attributes, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser { rest: text, line: 1 };
    parser.message(None, 0)
}

/// [`parse`] for bytes, which must be UTF-8.
///
/// # Errors
/// As [`parse`].
pub fn parse_bytes(bytes: &[u8]) -> Result<Attributes, Fault> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text),
        Err(e) => {
            let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
            let lines = before.iter().filter(|&&b| b == b'\n').count();
            let line = u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1);
            Err(Fault::Syntax { line, message: "this is not text; a prototxt was expected".to_owned() })
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    line: u32,
}

/// Characters of names, words and numbers; the sign is a token of its own.
fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

impl<'a> Parser<'a> {
    fn fault<T>(&self, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::Syntax { line: self.line, message: message.into() })
    }

    fn expected<T>(&self, what: &str) -> Result<T, Fault> {
        match self.rest.chars().next() {
            Some(c) => self.fault(format!("{what} was expected, not {c:?}")),
            None => self.fault(format!("{what} was expected, but the text ends")),
        }
    }

    /// Skips blanks and comments; the next character.
    fn peek(&mut self) -> Option<char> {
        loop {
            let c = self.rest.chars().next()?;
            if c == '#' {
                self.rest = self.rest.find('\n').and_then(|at| self.rest.get(at..)).unwrap_or("");
            } else if c.is_whitespace() {
                self.next();
            } else {
                return Some(c);
            }
        }
    }

    /// Takes one character as it is.
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        if c == '\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(c)
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c| !in_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Fields up to the closing bracket, or to the end of the text.
    fn message(&mut self, close: Option<char>, depth: usize) -> Result<Attributes, Fault> {
        if depth > DEPTH {
            return self.fault(format!("messages are nested over {DEPTH} deep"));
        }
        let opened = self.line;
        let mut fields = Attributes::new();
        loop {
            match (self.peek(), close) {
                (None, None) => return Ok(fields),
                (None, Some(close)) => {
                    return self.fault(format!("the text ends before the {close:?} of line {opened}'s bracket"));
                }
                (Some(c), Some(close)) if c == close => {
                    self.next();
                    return Ok(fields);
                }
                (Some(c), _) if c.is_ascii_alphabetic() || c == '_' => self.field(&mut fields, depth)?,
                _ => return self.expected("a field's name"),
            }
        }
    }

    fn field(&mut self, fields: &mut Attributes, depth: usize) -> Result<(), Fault> {
        let line = self.line;
        let name = self.word();
        let colon = self.take(':');
        if self.take('[') {
            if !self.take(']') {
                loop {
                    let line = {
                        self.peek();
                        self.line
                    };
                    let value = self.value(true, depth)?;
                    fields.push(name, value, line);
                    if self.take(']') {
                        break;
                    }
                    if !self.take(',') {
                        return self.expected("',' or ']'");
                    }
                }
            }
        } else {
            let value = self.value(colon, depth)?;
            fields.push(name, value, line);
        }
        if !self.take(',') {
            self.take(';');
        }
        Ok(())
    }

    fn value(&mut self, colon: bool, depth: usize) -> Result<Value, Fault> {
        match self.peek() {
            Some('{') => {
                self.next();
                Ok(Value::Message(self.message(Some('}'), depth.saturating_add(1))?))
            }
            Some('<') => {
                self.next();
                Ok(Value::Message(self.message(Some('>'), depth.saturating_add(1))?))
            }
            _ if !colon => self.expected("':' or '{'"),
            Some('"' | '\'') => self.strings(),
            Some(c) if c == '-' || in_word(c) => self.plain(),
            _ => self.expected("a value"),
        }
    }

    /// A word or a number.
    fn plain(&mut self) -> Result<Value, Fault> {
        let negative = self.take('-');
        if negative {
            self.peek();
        }
        let mut word = self.word().to_owned();
        // The sign of an exponent belongs to the number.
        let exponent = number_like(&word) && !is_hexadecimal(&word) && word.ends_with(['e', 'E']);
        if let (true, Some(sign @ ('+' | '-'))) = (exponent, self.rest.chars().next()) {
            self.next();
            word.push(sign);
            word.push_str(self.word());
        }
        if negative || number_like(&word) {
            let sign = if negative { "-" } else { "" };
            return match number(&word) {
                Some(n) => Ok(Value::Text(format!("{sign}{n}"))),
                None => self.fault(format!("{sign}{word} is not a finite number")),
            };
        }
        Ok(Value::Text(word))
    }

    /// Adjacent strings, joined.
    fn strings(&mut self) -> Result<Value, Fault> {
        let mut bytes = Vec::new();
        while let Some(quote @ ('"' | '\'')) = self.peek() {
            self.next();
            loop {
                match self.next() {
                    None => return self.fault("the text ends inside a string"),
                    Some('\n') => {
                        self.line = self.line.saturating_sub(1);
                        return self.fault("a string must end on its line");
                    }
                    Some(c) if c == quote => break,
                    Some('\\') => self.escape(&mut bytes)?,
                    Some(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Value::Text(text)),
            Err(_) => self.fault("the string is not UTF-8"),
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Fault> {
        let byte = match self.next() {
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('a') => 7,
            Some('b') => 8,
            Some('f') => 12,
            Some('v') => 11,
            Some(c @ ('\\' | '\'' | '"' | '?')) => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            Some('x' | 'X') => self.coded(16, 2, 0, 0)?,
            Some(c @ '0'..='7') => self.coded(8, 2, c.to_digit(8).unwrap_or(0), 1)?,
            _ => return self.fault("an unknown escape in a string"),
        };
        bytes.push(byte);
        Ok(())
    }

    /// A byte given by up to `most` digits, after `digits` of value `start`.
    fn coded(&mut self, radix: u32, most: usize, start: u32, digits: usize) -> Result<u8, Fault> {
        let (mut value, mut digits) = (start, digits);
        for _ in 0..most {
            let Some(d) = self.rest.chars().next().and_then(|c| c.to_digit(radix)) else { break };
            self.next();
            value = value.saturating_mul(radix).saturating_add(d);
            digits = digits.saturating_add(1);
        }
        match u8::try_from(value) {
            Ok(byte) if digits > 0 => Ok(byte),
            _ => self.fault("an escape in a string is not a byte"),
        }
    }
}

/// Whether a word must be a number: it begins with a digit or a point, or it is one of the words for no number.
fn number_like(word: &str) -> bool {
    let infinite = ["nan", "inf", "infinity"].iter().any(|w| word.eq_ignore_ascii_case(w));
    infinite || word.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

fn is_hexadecimal(word: &str) -> bool {
    word.starts_with("0x") || word.starts_with("0X")
}

/// A number as Rust parses it; `None` when it is none or has no finite value.
fn number(word: &str) -> Option<String> {
    if let Some(hex) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok().map(|n| n.to_string());
    }
    if word.len() > 1 && word.starts_with('0') && word.bytes().all(|b| b.is_ascii_digit()) {
        return u64::from_str_radix(word, 8).ok().map(|n| n.to_string());
    }
    let word = word.strip_suffix(['f', 'F']).unwrap_or(word);
    let value: f32 = word.parse().ok()?;
    value.is_finite().then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of this name; `{}` for messages.
    fn texts(a: &Attributes, name: &str) -> Vec<String> {
        let text = |v: &Value| match v {
            Value::Text(t) => t.clone(),
            Value::Message(_) => "{}".to_owned(),
        };
        a.all(name).map(|f| text(&f.value)).collect()
    }

    #[test]
    fn values_of_every_kind_are_read() {
        struct Case {
            text: &'static str,
            values: &'static [&'static str],
        }
        let cases = [
            Case { text: "a: 1", values: &["1"] },
            Case { text: "a: 1 a: 2;a:3,a :4 # a: 5\n", values: &["1", "2", "3", "4"] },
            Case { text: "a: [1, 2.5,x]", values: &["1", "2.5", "x"] },
            Case { text: "a: []", values: &[] },
            Case { text: "a: [{}, {b: 1}] a <c: 2> a: {} a {}", values: &["{}", "{}", "{}", "{}", "{}"] },
            Case {
                text: "a: -1 a: - 2 a: 1e-3 a: -1.5E+2 a: .5 a: 2.f",
                values: &["-1", "-2", "1e-3", "-1.5E+2", ".5", "2."],
            },
            Case { text: "a: 0x1F a: 010 a: 0 a: 0.5f", values: &["31", "8", "0", "0.5"] },
            Case { text: r#"a: "x y" a: 'it"s' a: "p" "q" 'r'"#, values: &["x y", "it\"s", "pqr"] },
            Case { text: r#"a: "\n\t\\\"\'\101\x41\303\251""#, values: &["\n\t\\\"'AA\u{e9}"] },
            Case { text: "a: MAX a: true", values: &["MAX", "true"] },
            Case { text: "\u{feff}a: 1\r\n", values: &["1"] },
            Case { text: "", values: &[] },
        ];
        for case in cases {
            let a = parse(case.text).unwrap_or_else(|e| panic!("{:?}: {e}", case.text));
            assert_eq!(texts(&a, "a"), case.values, "{:?}", case.text);
        }
    }

    #[test]
    fn lines_are_counted() {
        let a = parse("# one\nlayer {\n  name: \"x\"\n\n  p { q: 1 }\n}\nlayer {}").unwrap();
        let lines: Vec<u32> = a.all("layer").map(|f| f.line).collect();
        assert_eq!(lines, [2, 7]);
        let Value::Message(m) = &a.fields()[0].value else { panic!() };
        assert_eq!(m.fields().iter().map(|f| f.line).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn faults_name_their_line() {
        let cases = [
            ("a", 1, "the text ends"),
            ("\na 1", 2, "':' or '{'"),
            ("a {\n\n", 3, "line 1's bracket"),
            ("a: }", 1, "a value"),
            ("}", 1, "a field's name"),
            ("a: \"x\n\"", 1, "must end on its line"),
            ("a: \"x", 1, "inside a string"),
            ("a: \"\\q\"", 1, "unknown escape"),
            ("a: \"\\777\"", 1, "not a byte"),
            ("a: \"\\xff\"", 1, "not UTF-8"),
            ("a: 12x", 1, "12x is not a finite number"),
            ("\n\na: nan", 3, "not a finite number"),
            ("a: -inf", 1, "not a finite number"),
            ("a: 1e99", 1, "not a finite number"),
            ("a: -x", 1, "not a finite number"),
            ("a: 09", 1, "not a finite number"),
            ("a: [1 2]", 1, "',' or ']'"),
            ("a: [1,", 1, "a value"),
            ("[a.b]: 1", 1, "a field's name"),
            ("a { b: 1 >", 1, "a field's name"),
        ];
        for (text, line, part) in cases {
            match parse(text) {
                Err(Fault::Syntax { line: at, message }) => {
                    assert!(at == line && message.contains(part), "{text:?}: line {at}: {message}");
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |n: usize| format!("{}{}", "a {".repeat(n), "}".repeat(n));
        assert!(parse(&nested(DEPTH)).is_ok());
        assert!(parse(&nested(DEPTH + 1)).unwrap_err().to_string().contains("nested"));
        assert!(parse(&"a {".repeat(1 << 20)).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_line() {
        assert_eq!(
            parse_bytes(b"a: 1\n\xff").unwrap_err().to_string(),
            "line 2: this is not text; a prototxt was expected"
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in "[a-c{}<>:;,\\[\\]\"'\\\\#\n 0-9xe.+-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
