//! Who is let in, and as what. Pure.

use uuid::Uuid;

use crate::config::UnknownDevices;
use crate::store::accept_rules::Rule;
use crate::store::claims::Claim;

/// Why a device waits that is only unknown: it wanted nothing that it must not have.
pub const UNCLAIMED: &str = "nobody claimed it, and no rule lets it in";

/// A device that comes.
#[derive(Debug, Clone, Copy)]
pub struct Knock<'a> {
    /// Who.
    pub device_id: Uuid,
    /// As it says.
    pub serial: &'a str,
    /// The addresses of its Ethernet ports, as far as they are known.
    pub macs: &'a [String],
    /// The claim by whose credential it came.
    pub credential: Option<Uuid>,
    /// Its serial number is proven: a client certificate names it.
    pub proven: bool,
    /// It was never here.
    pub first: bool,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// It takes this claim.
    Claim(Box<Claim>),
    /// It is let in as this rule says.
    Rule(Box<Rule>),
    /// It is let in.
    Accept,
    /// It waits, for this reason.
    Quarantine(String),
    /// It is sent away.
    Refuse,
}

/// The same, and which claim it wanted and did not get.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What becomes of it.
    pub admission: Admission,
    /// Notes the reason.
    pub denied: Option<Uuid>,
}

impl Decision {
    fn taken(claim: &Claim) -> Self {
        Self { admission: Admission::Claim(Box::new(claim.clone())), denied: None }
    }

    fn denied(claim: &Claim, why: impl Into<String>) -> Self {
        let admission = Admission::Quarantine(why.into());
        Self { admission, denied: Some(claim.claim_id) }
    }
}

/// Decides by claims: those with the id, the serial number or an address of the device. `None` = none
/// of them is for it.
///
/// Who wants a claim and must not have it waits, whatever is said of the unknown: that is worth a look.
pub fn by_claim(knock: &Knock<'_>, claims: &[Claim]) -> Option<Decision> {
    let by_serial = claims.iter().find(|claim| names(claim, knock.serial));
    let by_credential = claims.iter().find(|claim| Some(claim.claim_id) == knock.credential);
    if let Some(claim) = by_credential {
        return Some(by_its_credential(knock, claim, by_serial));
    }
    if let Some(claim) = by_serial {
        return Some(wanted(knock, claim));
    }
    // Of several the one that it can have.
    let any = || claims.iter().find(|claim| has_address(knock, claim));
    by_address(knock, claims).or_else(any).map(|claim| wanted(knock, claim))
}

/// Decides about who is not expected; `rule` is the first that fits.
pub fn unclaimed(knock: &Knock<'_>, rule: Option<Rule>, unknown: UnknownDevices) -> Decision {
    let admission = match (rule, unknown) {
        (Some(rule), _) => Admission::Rule(Box::new(rule)),
        (None, UnknownDevices::Accept) => Admission::Accept,
        // Who waits already is not sent away: somebody may be looking at it.
        (None, UnknownDevices::Refuse) if knock.first => Admission::Refuse,
        (None, UnknownDevices::Refuse | UnknownDevices::Quarantine) => {
            Admission::Quarantine(UNCLAIMED.to_owned())
        }
    };
    Decision { admission, denied: None }
}

/// The claim by an address of the device, if it can have one.
fn by_address<'c>(knock: &Knock<'_>, claims: &'c [Claim]) -> Option<&'c Claim> {
    claims.iter().find(|claim| has_address(knock, claim) && is_free(knock, claim))
}

/// It came with the credential of this claim.
fn by_its_credential(knock: &Knock<'_>, claim: &Claim, by_serial: Option<&Claim>) -> Decision {
    if let Some(serial) = claim.serial.as_deref().filter(|_| !names(claim, knock.serial)) {
        let why = format!("it came with the credential of the claim for {serial}");
        return Decision::denied(claim, why);
    }
    // A claim without a serial number is no way to the one that somebody else is to have.
    if let Some(other) = by_serial.filter(|other| other.claim_id != claim.claim_id) {
        let why =
            "there is another claim for its serial number than the one by whose credential it came";
        return Decision::denied(other, why);
    }
    if is_taken(knock, claim) {
        let why = "another device has taken the claim by whose credential it came";
        return Decision::denied(claim, why);
    }
    Decision::taken(claim)
}

/// It came with another credential, or none.
fn wanted(knock: &Knock<'_>, claim: &Claim) -> Decision {
    // A certificate says what its serial number is, and nothing of its addresses.
    if claim.own_credential && !(knock.proven && names(claim, knock.serial)) {
        let why = "its claim wants the credential of the claim, and it came without";
        return Decision::denied(claim, why);
    }
    if is_taken(knock, claim) {
        return Decision::denied(claim, "another device has taken the claim for it");
    }
    Decision::taken(claim)
}

fn names(claim: &Claim, serial: &str) -> bool {
    claim.serial.as_deref().is_some_and(|named| named.eq_ignore_ascii_case(serial))
}

/// By its address alone: a claim that names a serial number is for no other.
fn has_address(knock: &Knock<'_>, claim: &Claim) -> bool {
    let has = |mac: &String| knock.macs.contains(mac);
    claim.serial.is_none() && claim.mac.as_ref().is_some_and(has)
}

fn is_taken(knock: &Knock<'_>, claim: &Claim) -> bool {
    claim.device_id.is_some_and(|device_id| device_id != knock.device_id)
}

fn is_free(knock: &Knock<'_>, claim: &Claim) -> bool {
    !claim.own_credential && !is_taken(knock, claim)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    const DEVICE: Uuid = Uuid::from_u128(100);

    fn claim(id: u128) -> Claim {
        let at = DateTime::UNIX_EPOCH;
        Claim {
            claim_id: Uuid::from_u128(id),
            serial: None,
            mac: None,
            model: None,
            site: None,
            profile_id: None,
            profile: None,
            variables: json!({}),
            tags: Vec::new(),
            customer: None,
            factory_sealed: None,
            own_credential: false,
            device_id: None,
            taken_at: None,
            refused: None,
            refused_at: None,
            created_by: "ann".to_owned(),
            created_at: at,
            updated_at: at,
        }
    }

    fn serial(id: u128, serial: &str) -> Claim {
        Claim { serial: Some(serial.to_owned()), ..claim(id) }
    }

    fn address(id: u128) -> Claim {
        Claim { mac: Some("E4:8D:8C:00:00:01".to_owned()), ..claim(id) }
    }

    fn own(claim: Claim) -> Claim {
        Claim { own_credential: true, ..claim }
    }

    fn taken(claim: Claim, by: Uuid) -> Claim {
        Claim { device_id: Some(by), ..claim }
    }

    /// Which claim it takes, by its number, or why it waits.
    fn outcome(credential: Option<u128>, claims: &[Claim]) -> Result<u128, (String, Option<u128>)> {
        shown(credential, false, claims)
    }

    /// The same of one whose serial number is proven, or is not.
    fn shown(
        credential: Option<u128>,
        proven: bool,
        claims: &[Claim],
    ) -> Result<u128, (String, Option<u128>)> {
        let macs = ["E4:8D:8C:00:00:01".to_owned()];
        let knock = Knock {
            device_id: DEVICE,
            serial: "s1",
            macs: &macs,
            credential: credential.map(Uuid::from_u128),
            proven,
            first: true,
        };
        // Also where everybody is let in.
        let unclaimed = || unclaimed(&knock, None, UnknownDevices::Accept);
        let decision = by_claim(&knock, claims).unwrap_or_else(unclaimed);
        match decision.admission {
            Admission::Claim(claim) => Ok(claim.claim_id.as_u128()),
            Admission::Quarantine(why) => Err((why, decision.denied.map(|id| id.as_u128()))),
            other => Err((format!("{other:?}"), None)),
        }
    }

    #[test]
    fn a_device_takes_the_claim_that_is_its_own() {
        let other = Uuid::from_u128(200);
        assert_eq!(outcome(None, &[serial(1, "S1")]), Ok(1));
        assert_eq!(outcome(None, &[address(2)]), Ok(2));
        assert_eq!(outcome(None, &[address(2), serial(1, "S1")]), Ok(1), "the serial number first");
        assert_eq!(outcome(None, &[taken(serial(1, "S1"), DEVICE)]), Ok(1), "it comes again");
        assert_eq!(outcome(Some(1), &[own(serial(1, "S1"))]), Ok(1));
        assert_eq!(outcome(Some(2), &[own(address(2))]), Ok(2), "the credential is the proof");
        for (credential, claims, why, denied) in [
            (None, vec![own(serial(1, "S1"))], "wants the credential", 1),
            (None, vec![own(address(2))], "wants the credential", 2),
            (None, vec![taken(serial(1, "S1"), other)], "another device", 1),
            (Some(3), vec![own(serial(3, "S3"))], "the claim for S3", 3),
            (Some(1), vec![taken(own(serial(1, "S1")), other)], "another device", 1),
            (Some(2), vec![own(address(2)), own(serial(1, "S1"))], "another claim", 1),
            (Some(2), vec![own(address(2)), serial(1, "S1")], "another claim", 1),
        ] {
            let Err((words, noted)) = outcome(credential, &claims) else { panic!("{claims:?}") };
            assert!(words.contains(why), "{words}");
            assert_eq!(noted, Some(denied), "{words}");
        }
        // One that names a serial number is not taken by an address.
        let both = Claim { serial: Some("S9".to_owned()), ..address(4) };
        assert_eq!(outcome(None, &[both]).unwrap_err().0, "Accept");
    }

    #[test]
    fn a_certificate_proves_the_serial_number_and_no_address() {
        assert_eq!(shown(None, true, &[own(serial(1, "S1"))]), Ok(1));
        let by_address = shown(None, true, &[own(address(2))]).unwrap_err();
        assert!(by_address.0.contains("wants the credential"), "{by_address:?}");
        let other = Uuid::from_u128(200);
        let gone = shown(None, true, &[taken(own(serial(1, "S1")), other)]).unwrap_err();
        assert!(gone.0.contains("another device"), "{gone:?}");
    }

    #[test]
    fn who_is_not_expected_is_let_in_by_rule_or_as_is_said_of_the_unknown() {
        let at = DateTime::UNIX_EPOCH;
        let rule = Rule {
            rule_id: Uuid::from_u128(1),
            position: 1,
            name: "lab".to_owned(),
            selector: "model = x".to_owned(),
            site: None,
            profile_id: None,
            profile: None,
            tags: Vec::new(),
            enabled: true,
            created_by: "ann".to_owned(),
            created_at: at,
            updated_at: at,
        };
        let knock = |first| Knock {
            device_id: DEVICE,
            serial: "S1",
            macs: &[],
            // That of a claim which is not there any more is worth nothing.
            credential: Some(Uuid::from_u128(9)),
            proven: false,
            first,
        };
        use UnknownDevices::{Accept, Quarantine, Refuse};
        for unknown in [Accept, Quarantine, Refuse] {
            let decision = unclaimed(&knock(true), Some(rule.clone()), unknown);
            assert_eq!(decision.admission, Admission::Rule(Box::new(rule.clone())));
        }
        assert_eq!(by_claim(&knock(true), &[]), None);
        let unknown = |first, unknown| unclaimed(&knock(first), None, unknown).admission;
        assert_eq!(unknown(true, Accept), Admission::Accept);
        assert_eq!(unknown(true, Refuse), Admission::Refuse);
        for (first, policy) in [(true, Quarantine), (false, Quarantine), (false, Refuse)] {
            assert!(matches!(unknown(first, policy), Admission::Quarantine(_)), "{policy:?}");
        }
    }
}
