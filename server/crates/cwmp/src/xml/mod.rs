//! XML for CWMP: bytes to text, a capped reader that yields a flat tree, and a small writer.
//!
//! Knows nothing of RPCs. Never resolves an external entity, never expands one that a document
//! declares (S7), never recurses on the depth of its input, and never lets a document cost more
//! than its caps. Namespaces are not resolved: devices bind prefixes wrongly or not at all (S6), so
//! elements are matched by local name and only declarations of CWMP itself are remembered.

use std::borrow::Cow;
use std::fmt::Display;

use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use quick_xml::{XmlVersion, escape};
use thiserror::Error;

mod text;
mod writer;

pub use text::{is_xml_char, to_text};
pub use writer::{Writer, escape_into};

/// What every CWMP namespace URI starts with (S5).
pub const CWMP_NAMESPACE: &str = "urn:dslforum-org:cwmp-";

/// White space as XML defines it; no-break spaces and their like are content.
pub(crate) const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Longest text of a parser error that is kept: it may quote the document.
const MAX_REASON_CHARS: usize = 200;

/// What one document may cost. A message over a cap is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the body as received, after any content coding was undone.
    pub max_bytes: usize,
    /// Elements that are open at once, the root included.
    pub max_depth: usize,
    /// Elements in the document.
    pub max_elements: usize,
    /// Attributes of one element, namespace declarations included.
    pub max_attributes: usize,
}

impl Default for Limits {
    /// Room for a full GetParameterNamesResponse many times over (H11: 660 kB, 5229 names).
    fn default() -> Self {
        Self {
            max_bytes: 16 * 1024 * 1024,
            max_depth: 24,
            max_elements: 200_000,
            max_attributes: 32,
        }
    }
}

/// Why a document was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum XmlError {
    /// More than [`Limits::max_depth`].
    #[error("elements are nested too deeply")]
    TooDeep,
    /// More than [`Limits::max_elements`].
    #[error("too many elements")]
    TooManyElements,
    /// More than [`Limits::max_attributes`].
    #[error("too many attributes on one element")]
    TooManyAttributes,
    /// A document type declaration, which SOAP 1.1 section 3 forbids and attacks need.
    #[error("a document type declaration is not allowed")]
    Doctype,
    /// A second root element.
    #[error("more than one root element")]
    SeveralRoots,
    /// Not well-formed; the text says where it broke, cut to a length fit for a log.
    #[error("malformed XML: {0}")]
    Malformed(String),
}

impl XmlError {
    fn malformed(reason: impl Display) -> Self {
        Self::Malformed(reason.to_string().chars().take(MAX_REASON_CHARS).collect())
    }
}

/// A parsed document: its elements in document order. Borrows from the text it was parsed from.
#[derive(Debug)]
pub struct Document<'a> {
    elements: Vec<Element<'a>>,
    /// Prefix (empty = default namespace) and URI of each declaration of a CWMP namespace.
    namespaces: Vec<(&'a str, Cow<'a, str>)>,
}

#[derive(Debug)]
struct Element<'a> {
    prefix: &'a str,
    name: &'a str,
    text: Cow<'a, str>,
    xsi_type: Option<Cow<'a, str>>,
    first_child: Option<u32>,
    last_child: Option<u32>,
    next_sibling: Option<u32>,
}

impl Document<'_> {
    /// The root element; `None` when the input held none.
    pub fn root(&self) -> Option<Node<'_>> {
        (!self.elements.is_empty()).then_some(Node { document: self, index: 0 })
    }

    /// The CWMP namespace URI bound to `prefix`, else the first one declared anywhere; `None` when
    /// the document declares none. Scopes are not tracked: one message speaks one version.
    pub fn cwmp_namespace(&self, prefix: &str) -> Option<&str> {
        let bound = self.namespaces.iter().find(|(p, _)| *p == prefix);
        bound.or(self.namespaces.first()).map(|(_, uri)| &**uri)
    }
}

/// One element of a [`Document`].
#[derive(Debug, Clone, Copy)]
pub struct Node<'d> {
    document: &'d Document<'d>,
    index: u32,
}

impl<'d> Node<'d> {
    fn element(self) -> &'d Element<'d> {
        &self.document.elements[self.index as usize]
    }

    /// Local name.
    pub fn name(self) -> &'d str {
        self.element().name
    }

    /// Prefix as written, declared or not; empty when there is none.
    pub fn prefix(self) -> &'d str {
        self.element().prefix
    }

    /// Character data, entities resolved and line ends normalised; empty for an element that has
    /// child elements.
    pub fn text(self) -> &'d str {
        &self.element().text
    }

    /// The raw value of a `type` attribute under any prefix.
    pub fn xsi_type(self) -> Option<&'d str> {
        self.element().xsi_type.as_deref()
    }

    /// Child elements in document order.
    pub fn children(self) -> Children<'d> {
        Children { document: self.document, next: self.element().first_child }
    }

    /// The first child with this local name.
    pub fn child(self, name: &str) -> Option<Node<'d>> {
        self.children().find(|c| c.name() == name)
    }
}

/// Iterator over the child elements of a [`Node`].
#[derive(Debug)]
pub struct Children<'d> {
    document: &'d Document<'d>,
    next: Option<u32>,
}

impl<'d> Iterator for Children<'d> {
    type Item = Node<'d>;

    fn next(&mut self) -> Option<Node<'d>> {
        let node = Node { document: self.document, index: self.next? };
        self.next = node.element().next_sibling;
        Some(node)
    }
}

/// Parses a document; [`Limits::max_bytes`] is the caller's to check, before [`to_text`].
pub fn parse<'a>(input: &'a str, limits: &Limits) -> Result<Document<'a>, XmlError> {
    let mut reader = Reader::from_str(input);
    let mut builder = Builder::new(limits);
    loop {
        let event = reader.read_event().map_err(XmlError::malformed)?;
        // The reader stands behind the event it has just returned.
        let end = usize::try_from(reader.buffer_position()).map_err(XmlError::malformed)?;
        match event {
            Event::Start(tag) => builder.open(input, &tag, end.checked_sub(">".len()))?,
            Event::Empty(tag) => {
                builder.open(input, &tag, end.checked_sub("/>".len()))?;
                builder.stack.pop();
            }
            Event::End(_) => {
                builder.stack.pop();
            }
            Event::Text(text) => builder.append(text.xml10_content())?,
            Event::CData(text) => builder.append(text.xml10_content())?,
            Event::GeneralRef(reference) => builder.append(resolve(&reference)?)?,
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return builder.finish(),
        }
    }
}

/// The five predefined entities and character references; no other can be declared, since a
/// DOCTYPE is refused.
fn resolve(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, XmlError> {
    if let Some(c) = reference.resolve_char_ref().map_err(XmlError::malformed)? {
        let text = if is_xml_char(c) { c.to_string() } else { String::new() };
        return Ok(Cow::Owned(text));
    }
    escape::resolve_xml_entity(reference)
        .map(Cow::Borrowed)
        .ok_or_else(|| XmlError::malformed(format_args!("undefined entity &{};", &**reference)))
}

struct Builder<'a, 'l> {
    document: Document<'a>,
    /// Indices of the open elements, the root first.
    stack: Vec<u32>,
    limits: &'l Limits,
}

impl<'a, 'l> Builder<'a, 'l> {
    fn new(limits: &'l Limits) -> Self {
        let document = Document { elements: Vec::with_capacity(64), namespaces: Vec::new() };
        Self { document, stack: Vec::with_capacity(limits.max_depth.min(32)), limits }
    }

    /// Opens the element whose tag ends (closing bracket excluded) at byte `end` of `input`. The
    /// event's own strings live only as long as the event, so the tag is found in the input again.
    fn open(
        &mut self,
        input: &'a str,
        tag: &BytesStart<'_>,
        end: Option<usize>,
    ) -> Result<(), XmlError> {
        let content: &'a str = end
            .and_then(|end| input.get(end.checked_sub(tag.len())?..end))
            .filter(|content| **content == **tag)
            .ok_or_else(|| XmlError::malformed("tag out of bounds"))?;
        if self.stack.is_empty() && !self.document.elements.is_empty() {
            return Err(XmlError::SeveralRoots);
        }
        if self.stack.len() >= self.limits.max_depth {
            return Err(XmlError::TooDeep);
        }
        if self.document.elements.len() >= self.limits.max_elements {
            return Err(XmlError::TooManyElements);
        }
        let index =
            u32::try_from(self.document.elements.len()).map_err(|_| XmlError::TooManyElements)?;
        let name_len = tag.name().0.len();
        let (prefix, name) = split_name(&content[..name_len]);
        let xsi_type = self.attributes(Attributes::new(content, name_len))?;
        self.document.elements.push(Element {
            prefix,
            name,
            text: Cow::Borrowed(""),
            xsi_type,
            first_child: None,
            last_child: None,
            next_sibling: None,
        });
        self.link(index);
        self.stack.push(index);
        Ok(())
    }

    /// Makes the new element the last child of the innermost open one.
    fn link(&mut self, index: u32) {
        let Some(&parent) = self.stack.last() else { return };
        let parent = &mut self.document.elements[parent as usize];
        parent.text = Cow::Borrowed("");
        match parent.last_child.replace(index) {
            None => parent.first_child = Some(index),
            Some(previous) => {
                self.document.elements[previous as usize].next_sibling = Some(index);
            }
        }
    }

    fn attributes(&mut self, attributes: Attributes<'a>) -> Result<Option<Cow<'a, str>>, XmlError> {
        let mut xsi_type = None;
        for (count, attribute) in attributes.enumerate() {
            if count >= self.limits.max_attributes {
                return Err(XmlError::TooManyAttributes);
            }
            // A duplicate comes as an error here.
            let attribute = attribute.map_err(XmlError::malformed)?;
            let (prefix, local) = split_name(attribute.key.0);
            if prefix == "xmlns" || attribute.key.0 == "xmlns" {
                let uri = attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(XmlError::malformed)?;
                if uri.starts_with(CWMP_NAMESPACE) {
                    let bound = if prefix == "xmlns" { local } else { "" };
                    self.document.namespaces.push((bound, uri));
                }
            } else if local == "type" {
                xsi_type = Some(attribute.value);
            }
        }
        Ok(xsi_type)
    }

    /// Adds character data to the innermost open element. Between child elements there is only
    /// layout, which is dropped.
    fn append(&mut self, fragment: Cow<'a, str>) -> Result<(), XmlError> {
        let Some(&innermost) = self.stack.last() else {
            let blank = fragment.trim_matches(SPACE).is_empty();
            return if blank { Ok(()) } else { Err(XmlError::malformed("text outside the root")) };
        };
        let element = &mut self.document.elements[innermost as usize];
        if element.first_child.is_none() {
            if element.text.is_empty() {
                element.text = fragment;
            } else {
                element.text.to_mut().push_str(&fragment);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Document<'a>, XmlError> {
        match self.stack.last() {
            None => Ok(self.document),
            Some(&index) => {
                let name = self.document.elements[index as usize].name;
                Err(XmlError::malformed(format_args!("input ends inside <{name}>")))
            }
        }
    }
}

/// Prefix (or nothing) and local name.
fn split_name(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(input: &str) -> XmlError {
        parse(input, &Limits::default()).expect_err("the document must be refused")
    }

    #[test]
    fn tree_text_and_types() {
        let input = "<!-- c --><s:a xmlns:c='urn:dslforum-org:cwmp-1-2'> x <b i:type='xsd:int'>\
                     1&lt;&#x32;<![CDATA[<3>]]></b>\r\n<b/></s:a>\n";
        let document = parse(input, &Limits::default()).expect("well-formed");
        let root = document.root().expect("a root");
        assert_eq!((root.prefix(), root.name(), root.text()), ("s", "a", ""));
        let first = root.child("b").expect("a child");
        assert_eq!((first.text(), first.xsi_type()), ("1<2<3>", Some("xsd:int")));
        assert_eq!(root.children().count(), 2);
        assert_eq!(document.cwmp_namespace("zz"), Some("urn:dslforum-org:cwmp-1-2"));
    }

    #[test]
    fn line_ends_are_normalised_but_a_referenced_return_is_kept() {
        let document = parse("<a>1\r\n2&#13;3</a>", &Limits::default()).expect("well-formed");
        assert_eq!(document.root().expect("a root").text(), "1\n2\r3");
    }

    #[test]
    fn the_bound_prefix_wins_over_the_first_declaration() {
        let input = "<a xmlns:x='urn:dslforum-org:cwmp-1-0' xmlns='urn:dslforum-org:cwmp-1-1'/>";
        let document = parse(input, &Limits::default()).expect("well-formed");
        assert_eq!(document.cwmp_namespace(""), Some("urn:dslforum-org:cwmp-1-1"));
        assert_eq!(document.cwmp_namespace("y"), Some("urn:dslforum-org:cwmp-1-0"));
    }

    #[test]
    fn every_cap_holds_at_its_edge() {
        let limits = Limits { max_depth: 2, max_elements: 3, max_attributes: 1, max_bytes: 99 };
        let refused = |input| parse(input, &limits).expect_err("over a cap");
        assert!(parse("<a b='1'><c/><d/></a>", &limits).is_ok());
        assert_eq!(refused("<a><b><c/></b></a>"), XmlError::TooDeep);
        assert_eq!(refused("<a><b/><c/><d/></a>"), XmlError::TooManyElements);
        assert_eq!(refused("<a b='1' c='2'/>"), XmlError::TooManyAttributes);
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for input in
            ["<a>", "<a></b>", "</a>", "<a>&</a>", "<a>&b</a>", "<a>&nbsp;</a>", "<a b></a>", "x"]
        {
            assert!(matches!(refused(input), XmlError::Malformed(_)), "{input}");
        }
        assert_eq!(refused("<a/><b/>"), XmlError::SeveralRoots);
        assert_eq!(refused("<!doctype a><a/>"), XmlError::Doctype);
    }
}
