//! [`Envelope`] to text: strict, in the style that the widest range of CPEs understands.
//!
//! Owns the envelope, its headers and faults. Children stand in the schema's order, unqualified
//! below the RPC element; every array carries arrayType and every value a type (S10). Never writes
//! an XML declaration (S8), and never checks lengths or enumerations: what is passed is sent.

mod request;
mod response;

use crate::fault::{Fault, FaultCode};
use crate::rpc::{Body, Envelope};
use crate::value::ParameterValue;
use crate::xml::Writer;

pub use request::request_name;
pub use response::response_name;

/// How a message is dressed. The content is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Strict: valid against the schema of its namespace (S8, S9, S10, S11).
    Acs,
    /// As real RouterOS writes: single quotes, `soap` bound to the *encoding* namespace, and
    /// mustUnderstand in that namespace as well.
    RouterOs,
}

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const ENCODING: &str = "http://schemas.xmlsoap.org/soap/encoding/";
const XSD: &str = "http://www.w3.org/2001/XMLSchema";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The names of a dialect. SOAP prefixes stay under 15 characters (S8).
struct Style {
    quote: char,
    envelope: &'static str,
    header: &'static str,
    body: &'static str,
    fault: &'static str,
    must_understand: &'static str,
    array_type: &'static str,
    base64: &'static str,
}

const ACS: Style = Style {
    quote: '"',
    envelope: "soap-env:Envelope",
    header: "soap-env:Header",
    body: "soap-env:Body",
    fault: "soap-env:Fault",
    must_understand: "soap-env:mustUnderstand",
    array_type: "soap-enc:arrayType",
    base64: "soap-enc:base64",
};

const ROUTER_OS: Style = Style {
    quote: '\'',
    envelope: "soapenv:Envelope",
    header: "soapenv:Header",
    body: "soapenv:Body",
    fault: "soapenv:Fault",
    must_understand: "soap:mustUnderstand",
    array_type: "soap:arrayType",
    base64: "soap:base64",
};

/// Writes one message. A Header is written only if there is something to put into it.
pub fn encode(envelope: &Envelope, dialect: Dialect) -> String {
    let mut e = Encoder::new(dialect);
    let cwmp = envelope.namespace.as_str();
    let namespaces = match dialect {
        Dialect::Acs => [
            ("xmlns:soap-env", ENVELOPE),
            ("xmlns:soap-enc", ENCODING),
            ("xmlns:xsd", XSD),
            ("xmlns:xsi", XSI),
            ("xmlns:cwmp", cwmp),
        ],
        Dialect::RouterOs => [
            ("xmlns:soap", ENCODING),
            ("xmlns:xsd", XSD),
            ("xmlns:cwmp", cwmp),
            ("xmlns:soapenv", ENVELOPE),
            ("xmlns:xsi", XSI),
        ],
    };
    e.xml.open(e.style.envelope, &namespaces);
    e.header(envelope);
    e.xml.open(e.style.body, &[]);
    match &envelope.body {
        Body::Request(call) => {
            e.rpc(request_name(call), "", |e| request::arguments(e, call));
        }
        Body::Response(answer) => {
            e.rpc(response_name(answer), "Response", |e| response::results(e, answer));
        }
        Body::Fault(fault) => e.fault(fault),
        Body::UnknownMethod(name) => e.rpc(&element_name(name), "", |_| {}),
    }
    e.xml.close(e.style.body);
    e.xml.close(e.style.envelope);
    e.xml.finish()
}

/// A method name that came off the wire, made fit to be an element's name.
fn element_name(name: &str) -> String {
    let fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name: String = name.chars().filter(fit).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name
    } else {
        format!("_{name}")
    }
}

/// A message in the making: the writer, and helpers for the shapes that arguments take.
struct Encoder {
    xml: Writer,
    style: &'static Style,
}

impl Encoder {
    fn new(dialect: Dialect) -> Self {
        let style = match dialect {
            Dialect::Acs => &ACS,
            Dialect::RouterOs => &ROUTER_OS,
        };
        Self { xml: Writer::new(style.quote), style }
    }

    fn header(&mut self, envelope: &Envelope) {
        let hold = envelope.hold_requests.map(bit);
        let timeout = envelope.session_timeout.map(|seconds| seconds.to_string());
        // mustUnderstand as the schema fixes it for each (S4).
        let entries = [
            ("cwmp:ID", "1", envelope.id.as_deref()),
            ("cwmp:HoldRequests", "1", hold),
            ("cwmp:SessionTimeout", "0", timeout.as_deref()),
            ("cwmp:SupportedCWMPVersions", "0", envelope.supported_versions.as_deref()),
            ("cwmp:UseCWMPVersion", "1", envelope.use_version.as_deref()),
        ];
        if entries.iter().all(|(_, _, text)| text.is_none()) {
            return;
        }
        self.xml.open(self.style.header, &[]);
        for (tag, must_understand, text) in entries {
            if let Some(text) = text {
                self.xml.leaf(tag, &[(self.style.must_understand, must_understand)], text);
            }
        }
        self.xml.close(self.style.header);
    }

    fn rpc(&mut self, name: &str, suffix: &str, content: impl FnOnce(&mut Self)) {
        let tag = format!("cwmp:{name}{suffix}");
        self.xml.open(&tag, &[]);
        content(self);
        self.xml.close(&tag);
    }

    fn fault(&mut self, fault: &Fault) {
        self.group(self.style.fault, |e| {
            e.text("faultcode", fault.code.soap_faultcode());
            e.text("faultstring", "CWMP fault");
            e.group("detail", |e| {
                e.group("cwmp:Fault", |e| {
                    e.fault_members(fault.code, &fault.text);
                    for parameter in &fault.parameters {
                        e.group("SetParameterValuesFault", |e| {
                            e.text("ParameterName", &parameter.name);
                            e.fault_members(parameter.code, &parameter.text);
                        });
                    }
                });
            });
        });
    }

    fn fault_members(&mut self, code: FaultCode, text: &str) {
        self.number("FaultCode", code.0);
        self.text("FaultString", text);
    }

    /// A fault inside a method call, where code 0 says that there was none.
    fn fault_struct(&mut self, tag: &str, fault: Option<&Fault>) {
        self.group(tag, |e| match fault {
            Some(fault) => e.fault_members(fault.code, &fault.text),
            None => e.fault_members(FaultCode(0), ""),
        });
    }

    fn group(&mut self, tag: &str, content: impl FnOnce(&mut Self)) {
        self.xml.open(tag, &[]);
        content(self);
        self.xml.close(tag);
    }

    fn text(&mut self, tag: &str, text: &str) {
        self.xml.leaf(tag, &[], text);
    }

    fn optional(&mut self, tag: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(tag, text);
        }
    }

    fn number(&mut self, tag: &str, number: impl ToString) {
        self.text(tag, &number.to_string());
    }

    fn flag(&mut self, tag: &str, flag: bool) {
        self.text(tag, bit(flag));
    }

    /// A SOAP array: `item_type` is the qualified type that arrayType names.
    fn array<T>(
        &mut self,
        tag: &str,
        item_type: &str,
        items: &[T],
        mut each: impl FnMut(&mut Self, &T),
    ) {
        let array_type = format!("{item_type}[{}]", items.len());
        self.xml.open(tag, &[(self.style.array_type, array_type.as_str())]);
        for item in items {
            each(self, item);
        }
        self.xml.close(tag);
    }

    fn strings(&mut self, tag: &str, strings: &[String]) {
        self.array(tag, "xsd:string", strings, |e, string| e.text("string", string));
    }

    fn parameter_values(&mut self, values: &[ParameterValue]) {
        self.array("ParameterList", "cwmp:ParameterValueStruct", values, |e, value| {
            e.group("ParameterValueStruct", |e| {
                e.text("Name", &value.name);
                let kind = format!("xsd:{}", value.kind.xsd());
                e.xml.leaf("Value", &[("xsi:type", kind.as_str())], &value.value);
            });
        });
    }
}

/// Booleans as digits: every CPE reads those, some read no words (C1).
fn bit(flag: bool) -> &'static str {
    if flag { "1" } else { "0" }
}
