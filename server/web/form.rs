//! Forms: what a browser posts, as a type, and what was wrong with it, field by field.
//!
//! A form says everything in text, and nothing of a box that is not ticked. So here an empty field is
//! no value where the type is an option, a name that comes several times is a list, and a ticked box
//! is true; structs have `#[serde(default)]` where a field may be absent.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor, value};
use serde::{Serialize, forward_to_deserialize_any};
use url::form_urlencoded;

use super::failure::Failure;
use crate::error::Error;

/// A posted form.
pub(super) struct Form<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        Ok(Self(read(&body(request, state).await?)?))
    }
}

/// A posted form of two parts, each with fields of its own.
pub(super) struct Both<A, B>(pub(super) A, pub(super) B);

impl<S: Send + Sync, A: DeserializeOwned, B: DeserializeOwned> FromRequest<S> for Both<A, B> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = body(request, state).await?;
        Ok(Self(read(&body)?, read(&body)?))
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    let body = Bytes::from_request(request, state).await;
    body.map_err(|e| Error::invalid("", e.body_text()))
}

/// A form's text as a type.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut fields: BTreeMap<String, Values> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        let values = fields.entry(name.into_owned()).or_insert_with(|| Values(Vec::new()));
        values.0.push(value.into_owned());
    }
    let fields: MapDeserializer<'_, _, value::Error> = MapDeserializer::new(fields.into_iter());
    serde_path_to_error::deserialize(fields).map_err(|e| {
        let path = e.path().to_string();
        let name = path.split(['.', '[']).next().unwrap_or_default();
        Error::invalid(format!("/{name}"), e.into_inner().to_string())
    })
}

/// All values of one name.
struct Values(Vec<String>);

impl Values {
    /// Of several the last: as for a box with a hidden field of the same name before it.
    fn one(mut self) -> String {
        self.0.pop().unwrap_or_default()
    }

    fn is_blank(&self) -> bool {
        self.0.iter().all(|value| value.trim().is_empty())
    }
}

impl<'de> IntoDeserializer<'de, value::Error> for Values {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            let text = self.one();
            let number: $type = text
                .trim()
                .parse()
                .map_err(|_| value::Error::custom(format!("`{text}` is not such a number")))?;
            visitor.$visit(number)
        })*
    };
}

impl<'de> Deserializer<'de> for Values {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_string(self.one())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        if self.is_blank() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        match self.one().as_str() {
            "yes" | "on" | "true" => visitor.visit_bool(true),
            "no" | "off" | "false" | "" => visitor.visit_bool(false),
            other => Err(value::Error::custom(format!("`{other}` is neither yes nor no"))),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        let items = self.0.into_iter().map(|value| Values(vec![value]));
        visitor.visit_seq(SeqDeserializer::new(items))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        visitor.visit_enum(self.one().into_deserializer())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        visitor.visit_newtype_struct(self)
    }

    numbers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64,
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// What is wrong with a form, for its page: `form.*` of `parts/form.html` show it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Complaints {
    /// Of no single field.
    whole: Option<String>,
    /// By the field's name.
    fields: BTreeMap<String, String>,
}

impl Complaints {
    /// Of no single field.
    pub(super) fn whole(message: impl Into<String>) -> Self {
        Self { whole: Some(message.into()), fields: BTreeMap::new() }
    }

    /// Of one field.
    pub(super) fn field(name: &str, message: impl Into<String>) -> Self {
        let fields = BTreeMap::from([(name.to_owned(), message.into())]);
        Self { whole: None, fields }
    }

    /// What an error says to whoever filled in a form that shows these fields. An error of any other
    /// field is one of the whole: nothing is left unsaid.
    ///
    /// # Errors
    /// The error itself where it is not about what was sent.
    pub(super) fn of(error: Error, shown: &[&str]) -> Result<Self, Error> {
        match error {
            Error::Invalid { pointer, message } => {
                let name = pointer.split('/').nth(1).unwrap_or_default();
                match shown.contains(&name) {
                    true => Ok(Self::field(name, message)),
                    false => Ok(Self::whole(message)),
                }
            }
            Error::Conflict(message)
            | Error::Stale(message)
            | Error::Denied(message)
            | Error::TooLarge(message) => Ok(Self::whole(message)),
            // What was typed is not lost, and neither is the sign that there is too much to do.
            Error::Busy(message) => {
                tracing::error!(error = %message, "a form could not be taken");
                Ok(Self::whole(message))
            }
            other => Err(other),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use axum::body::Body;
    use serde::Deserialize;
    use uuid::Uuid;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Sample {
        name: String,
        note: Option<String>,
        count: Option<u32>,
        rights: Vec<Right>,
        on: bool,
        id: Option<Uuid>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Right {
        Read,
        Operate,
    }

    #[test]
    fn a_form_is_read_as_its_type() {
        let id = Uuid::from_u128(7);
        let body = format!(
            "name=R%C4%ABga+7&note=&count=+12+&rights=read&rights=operate&on=yes&id={id}&other=x"
        );
        let sample: Sample = read(body.as_bytes()).unwrap();
        let expected = Sample {
            name: "Rīga 7".to_owned(),
            note: None,
            count: Some(12),
            rights: vec![Right::Read, Right::Operate],
            on: true,
            id: Some(id),
        };
        assert_eq!(sample, expected);
        assert_eq!(read::<Sample>(b"").unwrap(), Sample::default());
        let unticked: Sample = read(b"on=no&on=yes").unwrap();
        assert!(unticked.on);
    }

    #[tokio::test]
    async fn a_form_of_two_parts_is_read_as_both() {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Other {
            other: Vec<String>,
        }

        let request = Request::new(Body::from("name=a&other=x&other=y&count=7"));
        let both = Both::<Sample, Other>::from_request(request, &()).await;
        let Both(sample, other) = both.ok().unwrap();
        assert_eq!((sample.name.as_str(), sample.count), ("a", Some(7)));
        assert_eq!(other.other, ["x", "y"]);
    }

    #[test]
    fn what_is_wrong_names_its_field() {
        for (body, pointer) in
            [("count=x", "/count"), ("rights=read&rights=root", "/rights"), ("id=7", "/id")]
        {
            match read::<Sample>(body.as_bytes()).unwrap_err() {
                Error::Invalid { pointer: found, .. } => assert_eq!(found, pointer),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn an_error_stands_at_its_field_if_that_is_shown() {
        let of = |pointer: &str| Complaints::of(Error::invalid(pointer, "bad"), &["name"]).unwrap();
        assert_eq!(of("/name"), Complaints::field("name", "bad"));
        assert_eq!(of("/name/0"), Complaints::field("name", "bad"));
        assert_eq!(of("/other"), Complaints::whole("bad"));
        assert_eq!(of(""), Complaints::whole("bad"));
        // What was typed is shown again with them.
        for error in [Error::Conflict, Error::Stale, Error::Denied, Error::TooLarge, Error::Busy] {
            let told = Complaints::of(error("later".to_owned()), &[]).unwrap();
            assert_eq!(told, Complaints::whole("later"));
        }
        assert!(Complaints::of(Error::Internal("a bug".to_owned()), &[]).is_err());
        assert!(Complaints::of(Error::NotFound("gone".to_owned()), &[]).is_err());
    }
}
