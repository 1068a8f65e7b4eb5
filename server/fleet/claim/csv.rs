//! A table as spreadsheets write it: with a byte order mark or without, in UTF-8 or Latin-1, with
//! commas, semicolons or tabs between, with any end of lines.
//!
//! Owns what the columns are called, and that what cannot be read is refused with its line. It never
//! guesses: a file that mixes encodings, or has a column that nobody knows, is not read at all.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

/// Bytes of a file.
pub const MAX_BYTES: usize = 32 << 20;
/// Lines of it beside the header.
pub const MAX_LINES: usize = 100_000;
/// Columns.
const MAX_COLUMNS: usize = 200;
/// Characters of a cell.
const MAX_CELL: usize = 2_000;
/// Columns of variables begin like this.
const VARIABLE: &str = "var.";

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where, counted from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub words: String,
}

/// How the letters of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CsvEncoding)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// ISO 8859-1, as old programs of western Europe write it. Its letters are worth a look.
    Latin1,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Serial number.
    Serial,
    /// MAC address.
    Mac,
    /// Model.
    Model,
    /// Path of the site.
    Site,
    /// Name of the profile.
    Profile,
    /// Tags, with blanks, commas or semicolons between.
    Tags,
    /// The customer's number.
    Customer,
    /// The password on the sticker.
    FactoryPassword,
    /// Yes or no.
    OwnCredential,
    /// A variable of templates.
    Variable(String),
    /// What an export says beside the claim itself.
    Ignored(String),
}

/// The names of columns: the first of each is its own, the others are understood, too.
static NAMES: [(Column, &[&str]); 9] = [
    (Column::Serial, &["serial", "serial_number", "serialnumber", "serial_no", "s_n", "sn"]),
    (Column::Mac, &["mac", "mac_address", "macaddress", "ethernet_mac"]),
    (Column::Model, &["model", "model_name", "product", "product_code"]),
    (Column::Site, &["site", "site_path", "location"]),
    (Column::Profile, &["profile"]),
    (Column::Tags, &["tags", "tag"]),
    (
        Column::Customer,
        &["customer", "customer_ref", "customer_reference", "customer_number", "account"],
    ),
    (
        Column::FactoryPassword,
        &["factory_password", "password", "default_password", "device_password"],
    ),
    (Column::OwnCredential, &["own_credential"]),
];
/// What an export has beside these.
pub const EXPORTED: [&str; 5] = ["claim_id", "device_id", "taken_at", "refused", "refused_at"];

impl Column {
    /// As it is written over the column.
    pub fn title(&self) -> String {
        let known = NAMES.iter().find(|(column, _)| column == self);
        match (self, known) {
            (Self::Variable(name), _) => format!("{VARIABLE}{name}"),
            (Self::Ignored(name), _) => name.clone(),
            (_, Some((_, names))) => names[0].to_owned(),
            (_, None) => String::new(),
        }
    }

    fn of(title: &str) -> Option<Self> {
        let title = title.trim();
        if let Some((_, name)) = split_prefix(title, VARIABLE) {
            return Some(Self::Variable(name.trim().to_owned()));
        }
        let plain = |c: char| if matches!(c, ' ' | '-' | '/' | '.') { '_' } else { c };
        let word: String = title.to_ascii_lowercase().chars().map(plain).collect();
        let word = word.trim_matches('_');
        if EXPORTED.contains(&word) {
            return Some(Self::Ignored(word.to_owned()));
        }
        let named = NAMES.iter().find(|(_, names)| names.contains(&word));
        named.map(|(column, _)| column.clone())
    }
}

/// The rest behind a prefix in any case of letters.
fn split_prefix<'t>(text: &'t str, prefix: &str) -> Option<(&'t str, &'t str)> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.split_at(prefix.len()))
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it begins, counted from 1.
    pub line: usize,
    /// As many as there are columns, without blanks at their ends; or what is wrong with the line.
    pub cells: Result<Vec<String>, String>,
}

/// A file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What its columns hold.
    pub columns: Vec<Column>,
    /// Its lines but for the header and those without anything in them.
    pub rows: Vec<Row>,
    /// How its letters were written.
    pub encoding: Encoding,
    /// What stands between its cells.
    pub separator: char,
}

/// Reads a file.
///
/// # Errors
/// [`Refusal`] where it is no such table, or too large.
pub fn read(bytes: &[u8]) -> Result<Table, Refusal> {
    let (text, encoding) = decoded(bytes)?;
    // The same count of lines whatever their ends.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (skipped, said, rest) = first_line(&text);
    let header = rest.lines().find(|line| !line.trim().is_empty());
    let header = header.ok_or_else(|| refusal(1, "the file is empty"))?;
    let separator = said.unwrap_or_else(|| separator(header));
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(u8::try_from(separator).unwrap_or(b','))
        .trim(::csv::Trim::All)
        .from_reader(rest.as_bytes());
    let mut columns: Option<Vec<Column>> = None;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| refusal(1, &format!("the file cannot be read: {e}")))?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        let line = skipped + line_of(rest, &record);
        let Some(columns) = &columns else {
            columns = Some(header_of(&record).map_err(|words| refusal(line, &words))?);
            continue;
        };
        if rows.len() >= MAX_LINES {
            let words = format!("more than {MAX_LINES} lines: import it in parts");
            return Err(refusal(line, &words));
        }
        rows.push(Row { line, cells: cells(&record, columns) });
    }
    let columns = columns.ok_or_else(|| refusal(1, "the file is empty"))?;
    Ok(Table { columns, rows, encoding, separator })
}

fn refusal(line: usize, words: &str) -> Refusal {
    Refusal { line, words: words.to_owned() }
}

/// The text of a file, and how it was written.
fn decoded(bytes: &[u8]) -> Result<(String, Encoding), Refusal> {
    if bytes.len() > MAX_BYTES {
        let words = format!("more than {} MiB: import it in parts", MAX_BYTES >> 20);
        return Err(refusal(1, &words));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(refusal(1, "the file is UTF-16: save it as CSV in UTF-8"));
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    let line_at = |at: usize| 1 + bytes[..at].iter().filter(|b| **b == b'\n').count();
    if let Some(at) = bytes.iter().position(|b| *b == 0) {
        return Err(refusal(line_at(at), "a byte that is zero: save the file as CSV in UTF-8"));
    }
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok((text.to_owned(), Encoding::Utf8)),
        Err(error) => error,
    };
    let wrong = error.valid_up_to();
    if bytes[..wrong].iter().any(|b| !b.is_ascii()) {
        let words =
            "this line is not UTF-8, and those before it are: save the file as CSV in UTF-8";
        return Err(refusal(line_at(wrong), words));
    }
    // Latin-1 has no letters there; what has them is another encoding, of which nobody said which.
    if let Some(at) = bytes.iter().position(|b| (0x80..=0x9f).contains(b)) {
        let words = "this line is neither UTF-8 nor Latin-1: save the file as CSV in UTF-8";
        return Err(refusal(line_at(at), words));
    }
    Ok((bytes.iter().map(|b| char::from(*b)).collect(), Encoding::Latin1))
}

/// Spreadsheets write `sep=;` above the header: how many lines that is, what it says, and the rest.
fn first_line(text: &str) -> (usize, Option<char>, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let said = split_prefix(first.trim_matches(['"', ' ']), "sep=").and_then(|(_, sign)| {
        let mut signs = sign.chars();
        let sign = signs.next().filter(|sign| matches!(sign, ',' | ';' | '\t'))?;
        signs.next().is_none().then_some(sign)
    });
    if said.is_some() { (1, said, rest) } else { (0, None, text) }
}

/// What stands between the names of the header most often.
fn separator(header: &str) -> char {
    let mut counts = [(',', 0), (';', 0), ('\t', 0)];
    let mut quoted = false;
    for c in header.chars() {
        quoted ^= c == '"';
        if let Some((_, count)) = counts.iter_mut().find(|(sign, _)| *sign == c && !quoted) {
            *count += 1;
        }
    }
    // Of as many the first.
    let mut best = counts[0];
    for candidate in counts {
        if candidate.1 > best.1 {
            best = candidate;
        }
    }
    best.0
}

/// Where a record begins: the reader counts it from the empty lines before it on.
fn line_of(text: &str, record: &::csv::StringRecord) -> usize {
    let Some(position) = record.position() else { return 1 };
    let line = usize::try_from(position.line()).unwrap_or(usize::MAX);
    let at = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    line + rest.iter().take_while(|b| **b == b'\n').count()
}

fn header_of(record: &::csv::StringRecord) -> Result<Vec<Column>, String> {
    if record.len() > MAX_COLUMNS {
        return Err(format!("more than {MAX_COLUMNS} columns"));
    }
    let mut columns = Vec::with_capacity(record.len());
    let mut seen = BTreeSet::new();
    for title in record {
        // A separator at the end of each line makes a column without a name.
        let column = match title.is_empty() {
            true => Column::Ignored(String::new()),
            false => Column::of(title).ok_or_else(|| unknown(title))?,
        };
        if !title.is_empty() && !seen.insert(column.clone()) {
            return Err(format!("the column `{}` is there twice", column.title()));
        }
        columns.push(column);
    }
    if !seen.contains(&Column::Serial) && !seen.contains(&Column::Mac) {
        return Err("there is no column `serial`, and none `mac`".to_owned());
    }
    Ok(columns)
}

fn unknown(title: &str) -> String {
    let names: Vec<&str> = NAMES.iter().map(|(_, names)| names[0]).collect();
    let shown: String = title.chars().take(40).collect();
    format!(
        "there is no column `{}`: the first line names the columns {} and {VARIABLE}NAME",
        shown.escape_debug(),
        names.join(", ")
    )
}

fn cells(record: &::csv::StringRecord, columns: &[Column]) -> Result<Vec<String>, String> {
    let mut cells = Vec::with_capacity(columns.len());
    // What an open quote takes in is a part of this line, and is not read as lines.
    let taken: usize = record.iter().map(|cell| cell.matches('\n').count()).sum();
    let open = match taken {
        0 => "a quote that is never closed?".to_owned(),
        1 => "a quote that is never closed? The line after it is a part of it".to_owned(),
        lines => {
            format!("a quote that is never closed? The {lines} lines after it are a part of it")
        }
    };
    for (i, cell) in record.iter().enumerate() {
        if cell.chars().nth(MAX_CELL).is_some() {
            return Err(format!("a cell of more than {MAX_CELL} characters: {open}"));
        }
        if cell.contains('\n') {
            return Err(format!("a line that ends within a cell: {open}"));
        }
        match columns.get(i) {
            Some(_) => cells.push(cell.to_owned()),
            None if cell.is_empty() => {}
            None => {
                let (many, named) = (record.len(), columns.len());
                return Err(format!("{many} cells, and the first line names {named} columns"));
            }
        }
    }
    cells.resize(columns.len(), String::new());
    Ok(cells)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    /// The lines of a good file, each with its number.
    fn lines(bytes: &[u8]) -> Vec<(usize, Vec<String>)> {
        let table = read(bytes).unwrap();
        table.rows.into_iter().map(|row| (row.line, row.cells.unwrap())).collect()
    }

    fn one(line: usize, cells: &[&str]) -> Vec<(usize, Vec<String>)> {
        vec![(line, cells.iter().map(|cell| (*cell).to_owned()).collect())]
    }

    #[test]
    fn a_file_is_read_whatever_program_wrote_it() {
        let expected = one(2, &["A1", "Jānis, 4"]);
        for text in [
            "serial,customer\nA1,\"Jānis, 4\"\n",
            "\u{feff}Serial Number;Customer-Ref\r\nA1;Jānis, 4\r\n",
            "S/N\tACCOUNT\rA1\tJānis, 4",
            " serial , customer \n A1 ,\"Jānis, 4\" \n\n , \n",
        ] {
            assert_eq!(lines(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(lines(b"\"sep=;\"\n\nserial;mac;\n\n\nA1;;\n"), one(6, &["A1", "", ""]));
        let table = read(b"serial;customer\nA1;Andr\xe9\n").unwrap();
        assert_eq!((table.encoding, table.separator), (Encoding::Latin1, ';'));
        assert_eq!(table.rows[0].cells.as_ref().unwrap()[1], "André");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_refused_with_the_line() {
        let refused: [(&[u8], usize, &str); 9] = [
            (b"", 1, "empty"),
            (b"\n \n", 1, "empty"),
            (b"\xff\xfes\0", 1, "UTF-16"),
            (b"serial\nA\0", 2, "zero"),
            (b"serial,customer\nA,\xc4\x81\nB,\xe9\n", 3, "not UTF-8"),
            (b"serial,customer\nA,x\nB,\x80uro \xe9\n", 3, "neither UTF-8 nor Latin-1"),
            (b"serial,colour\nA,red\n", 1, "no column `colour`"),
            (b"\nserial,sn\nA,B\n", 2, "`serial` is there twice"),
            (b"model,site\nA,B\n", 1, "no column `serial`"),
        ];
        for (bytes, line, words) in refused {
            let refused = read(bytes).unwrap_err();
            assert_eq!(refused.line, line, "{refused:?}");
            assert!(refused.words.contains(words), "{refused:?}");
        }
        let many = format!("serial\n{}", "A\n".repeat(MAX_LINES + 1));
        assert_eq!(read(many.as_bytes()).unwrap_err().line, MAX_LINES + 2);
        assert_eq!(read(&vec![b'a'; MAX_BYTES + 1]).unwrap_err().line, 1);
    }

    #[test]
    fn a_line_that_is_wrong_costs_no_other_one() {
        let table = read(b"serial,mac\nA,B,C\nD\nE,\"x\ny\"\nF,,\n").unwrap();
        let told: Vec<(usize, bool)> =
            table.rows.iter().map(|row| (row.line, row.cells.is_ok())).collect();
        assert_eq!(told, [(2, false), (3, true), (4, false), (6, true)]);
        let open = read(b"serial,mac\nA,\"19 inch\nB,\nC,\nD,\n").unwrap();
        let why = open.rows[0].cells.as_ref().unwrap_err();
        assert!(
            open.rows.len() == 1 && why.contains("The 3 lines after it are a part of it"),
            "{why}"
        );
        let long = format!("serial\n{}\nB\n", "x".repeat(MAX_CELL + 1));
        assert!(read(long.as_bytes()).unwrap().rows[0].cells.is_err());
    }

    #[test]
    fn each_column_is_called_what_it_is_called() {
        for (column, names) in &NAMES {
            for name in *names {
                assert_eq!(Column::of(&name.to_uppercase()).as_ref(), Some(column), "{name}");
            }
            assert_eq!(Column::of(&column.title()).as_ref(), Some(column));
        }
        assert_eq!(Column::of("VAR.pppoe_User"), Some(Column::Variable("pppoe_User".to_owned())));
        assert_eq!(Column::of("taken at"), Some(Column::Ignored("taken_at".to_owned())));
        assert_eq!(Column::of("vär"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let mut file = b"serial;var.a\n".to_vec();
            file.extend(bytes);
            if let Ok(table) = read(&file) {
                for row in table.rows {
                    prop_assert!(row.line >= 2);
                    prop_assert!(row.cells.is_err() || row.cells.unwrap().len() == 2);
                }
            }
        }
    }
}
