//! Mail to people who are told of events.
//!
//! Owns the connection to the configured server. What a device says of itself stands in mails, so
//! nothing of it must come to be a header of its own.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::time::timeout;
use uuid::Uuid;

use super::chain;
use crate::config::{SmtpConfig, SmtpSecurity};

/// How long one mail may take in all: servers may hold back who comes.
const DEADLINE: Duration = Duration::from_secs(30);

/// What sends mail.
pub(super) struct Mailer {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mailer {
    /// By the configured server.
    ///
    /// # Errors
    /// Why no mail can be sent, for an operator.
    pub(super) fn new(config: &SmtpConfig) -> Result<Self, String> {
        let (Some(server), Some(from)) = (&config.server, &config.from) else {
            return Err("this server sends no mail: smtp.server is not set".to_owned());
        };
        let from = from.parse::<Mailbox>().map_err(|e| format!("smtp.from: {e}"))?;
        let parameters =
            || TlsParameters::new(server.clone()).map_err(|e| format!("TLS: {}", chain(&e)));
        let tls = match config.security {
            SmtpSecurity::Starttls => Tls::Required(parameters()?),
            SmtpSecurity::Tls => Tls::Wrapper(parameters()?),
            SmtpSecurity::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.as_str())
            .port(config.port())
            .tls(tls)
            .timeout(Some(DEADLINE));
        if let (Some(username), Some(password)) = (&config.username, &config.password) {
            let login = Credentials::new(username.clone(), password.expose().to_owned());
            builder = builder.credentials(login);
        }
        Ok(Self { from, transport: builder.build() })
    }

    /// Sends a text; gives what the server said. The id is the message's: sent twice, it is seen to
    /// be the same.
    ///
    /// # Errors
    /// Why it was not taken, for an operator.
    pub(super) async fn send(
        &self,
        to: &str,
        id: Uuid,
        subject: &str,
        text: String,
    ) -> Result<String, String> {
        let to = to.parse::<Address>().map_err(|e| format!("its address cannot be used: {e}"))?;
        let domain = self.from.email.domain();
        // RFC 3834: no holiday note is wanted.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(format!("<{}@{domain}>", id.simple())))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|e| format!("the mail cannot be written: {}", chain(&e)))?;
        match timeout(DEADLINE, self.transport.send(message)).await {
            Ok(Ok(response)) => Ok(format!("{} from the mail server", response.code())),
            Ok(Err(e)) => Err(chain(&e)),
            Err(_) => Err(format!("the mail server did not end within {} s", DEADLINE.as_secs())),
        }
    }
}
