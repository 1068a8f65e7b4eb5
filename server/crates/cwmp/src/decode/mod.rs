//! Bytes to [`Envelope`]: liberal, because devices that break every rule exist and must be managed.
//!
//! Owns what is refused and what is forgiven. Elements are matched by local name in any order,
//! arrayType is ignored, missing optional arguments get defaults, odd numbers and times are no
//! error (facts S6, section 7). Never panics on any input and never answers: the caller does.

mod fields;
mod request;
mod response;

use thiserror::Error;

use crate::fault::{Fault, FaultCode, ParameterFault};
use crate::rpc::{Body, Envelope};
use crate::xml::{self, Limits, Node, XmlError};

/// The namespace of a message that declares none of CWMP's (S5): the oldest, which all understand.
pub const DEFAULT_NAMESPACE: &str = "urn:dslforum-org:cwmp-1-0";

/// Why a body is no CWMP message. Each variant calls for an answer of its own.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// More bytes than [`Limits::max_bytes`].
    #[error("the message is too large")]
    TooLarge,
    /// Nesting over [`Limits::max_depth`].
    #[error("elements are nested too deeply")]
    TooDeep,
    /// Over [`Limits::max_elements`].
    #[error("the message has too many elements")]
    TooManyElements,
    /// One element over [`Limits::max_attributes`].
    #[error("an element has too many attributes")]
    TooManyAttributes,
    /// A document type declaration (S7).
    #[error("a document type declaration is not allowed")]
    Doctype,
    /// Not well-formed XML; says where it broke.
    #[error("malformed XML: {0}")]
    Malformed(String),
    /// Well-formed, but without SOAP's Envelope or its Body.
    #[error("not a SOAP message")]
    NotSoap,
    /// An empty SOAP Body.
    #[error("the SOAP Body is empty")]
    NoBodyChild,
    /// Several envelopes or several Body children: MaxEnvelopes is 1 (N2).
    #[error("more than one message in one body")]
    SeveralBodyChildren,
    /// A known method (or its answer) lacks what it cannot do without: fault 8003 or 9003.
    #[error("invalid arguments of {method}: {why}")]
    InvalidArguments {
        /// Namespace for the answer.
        namespace: String,
        /// `cwmp:ID` for the answer.
        id: Option<String>,
        /// Local name of the Body child.
        method: String,
        /// What is wrong, for the fault's text.
        why: String,
    },
}

impl From<XmlError> for DecodeError {
    fn from(error: XmlError) -> Self {
        match error {
            XmlError::TooDeep => Self::TooDeep,
            XmlError::TooManyElements => Self::TooManyElements,
            XmlError::TooManyAttributes => Self::TooManyAttributes,
            XmlError::Doctype => Self::Doctype,
            XmlError::SeveralRoots => Self::SeveralBodyChildren,
            XmlError::Malformed(reason) => Self::Malformed(reason),
        }
    }
}

/// Reads one message of either direction. `content_type` is the HTTP header's value, which may
/// name the encoding.
///
/// # Errors
/// See [`DecodeError`]; a method that CWMP does not name is no error but [`Body::UnknownMethod`].
pub fn decode(
    bytes: &[u8],
    content_type: Option<&str>,
    limits: &Limits,
) -> Result<Envelope, DecodeError> {
    if bytes.len() > limits.max_bytes {
        return Err(DecodeError::TooLarge);
    }
    let text = xml::to_text(bytes, content_type);
    let document = xml::parse(&text, limits)?;
    let root = document.root().filter(|r| r.name() == "Envelope").ok_or(DecodeError::NotSoap)?;
    let call = body_child(root)?;
    let namespace = document.cwmp_namespace(call.prefix()).unwrap_or(DEFAULT_NAMESPACE);
    let header = root.child("Header");
    let entry = |name| header.and_then(|h| h.child(name)).map(Node::text);
    let id = entry("ID").map(str::to_owned);
    let body = match body(call) {
        Ok(body) => body,
        Err(why) => {
            return Err(DecodeError::InvalidArguments {
                namespace: namespace.to_owned(),
                id,
                method: call.name().to_owned(),
                why: why.to_owned(),
            });
        }
    };
    Ok(Envelope {
        namespace: namespace.to_owned(),
        id,
        hold_requests: entry("HoldRequests").map(fields::parse_bool),
        session_timeout: entry("SessionTimeout").and_then(|t| t.trim().parse().ok()),
        supported_versions: entry("SupportedCWMPVersions").map(|t| t.trim().to_owned()),
        use_version: entry("UseCWMPVersion").map(|t| t.trim().to_owned()),
        body,
    })
}

fn body_child(root: Node<'_>) -> Result<Node<'_>, DecodeError> {
    let mut bodies = root.children().filter(|c| c.name() == "Body");
    let body = bodies.next().ok_or(DecodeError::NotSoap)?;
    let mut calls = body.children();
    let call = calls.next();
    if calls.next().is_some() || bodies.next().is_some() {
        return Err(DecodeError::SeveralBodyChildren);
    }
    call.ok_or(DecodeError::NoBodyChild)
}

/// The error says which argument is missing.
fn body(call: Node<'_>) -> Result<Body, &'static str> {
    if call.name() == "Fault" {
        return Ok(Body::Fault(fault(call)));
    }
    let known = match call.name().strip_suffix("Response") {
        Some(method) => response::response(method, call)?.map(Body::Response),
        None => request::request(call.name(), call)?.map(Body::Request),
    };
    Ok(known.unwrap_or_else(|| Body::UnknownMethod(call.name().to_owned())))
}

/// A SOAP Fault. The CWMP part is looked for wherever devices have put it; without one the SOAP
/// part decides who is to blame, so that a caller that retries by code does not repeat in vain.
fn fault(soap: Node<'_>) -> Fault {
    let faultcode = fields::token(soap, "faultcode");
    let blame = match faultcode.rsplit(':').next().unwrap_or_default() {
        "MustUnderstand" | "VersionMismatch" => FaultCode::INVALID_ARGUMENTS,
        code if code.starts_with("Client") => FaultCode::INVALID_ARGUMENTS,
        _ => FaultCode::INTERNAL_ERROR,
    };
    let faultstring = fields::text(soap, "faultstring");
    let Some(detail) = soap.child("detail") else { return Fault::new(blame, faultstring) };
    let mut parts = detail.children().filter(|c| c.name() == "Fault");
    let top = parts.next().unwrap_or(detail);
    let mut fault = Fault::new(
        fields::fault_code(top).unwrap_or(blame),
        fields::optional(top, "FaultString").unwrap_or(faultstring),
    );
    // Every fault of a multi-fault answer is kept (deviation 27): those that name a parameter,
    // then further top-level ones, which name none.
    for part in detail.children().filter(|c| c.name() == "Fault").chain([detail]) {
        let named = part.children().filter(|c| c.name() == "SetParameterValuesFault");
        fault.parameters.extend(named.map(|p| parameter_fault(p, blame)));
    }
    fault.parameters.extend(parts.map(|p| parameter_fault(p, blame)));
    fault
}

fn parameter_fault(node: Node<'_>, blame: FaultCode) -> ParameterFault {
    ParameterFault {
        name: fields::name(node, "ParameterName"),
        code: fields::fault_code(node).unwrap_or(blame),
        text: fields::text(node, "FaultString"),
    }
}
