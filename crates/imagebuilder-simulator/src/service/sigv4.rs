//! Signed requests. Their form is checked; the signature is not, as the simulator has no secrets.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use imagebuilder_model::Timestamp;
use imagebuilder_model::identifier::is_number;

use crate::error::ErrorResponse;

/// What a signature is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) session_token: Option<String>,
    /// By the caller's clock.
    pub(crate) signed: Timestamp,
}

/// How far a request may be from the service's clock: "must reach AWS within five minutes of the
/// time stamp in the request", as the IAM user guide has it.
const TOLERANCE_MILLIS: i64 = 5 * 60 * 1000;

impl Scope {
    /// # Errors
    ///
    /// The request was signed too long before, or too long after, this time.
    pub(crate) fn check_time(&self, now: Timestamp) -> Result<(), ErrorResponse> {
        let late = now.millis_since(self.signed);
        if late.abs() <= TOLERANCE_MILLIS {
            return Ok(());
        }
        let (signed, now) = (self.signed.iso8601(), now.iso8601());
        let message = match late > 0 {
            true => format!("Signature expired: {signed} is now earlier than {now} - 5 min."),
            false => {
                format!("Signature not yet current: {signed} is still later than {now} + 5 min.")
            }
        };
        let kind = match self.service.as_str() {
            "sts" => "SignatureDoesNotMatch",
            _ => "InvalidSignatureException",
        };
        Err(ErrorResponse {
            status: 403,
            ..ErrorResponse::new(kind, message)
        })
    }
}

/// # Errors
///
/// No `Authorization`, or one that is not AWS Signature Version 4's.
pub(crate) fn scope(headers: &HeaderMap) -> Result<Scope, ErrorResponse> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = text(AUTHORIZATION.as_str()).ok_or_else(|| {
        ErrorResponse::new(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    })?;
    let date = text("x-amz-date").unwrap_or_default();
    let token = text("x-amz-security-token").map(str::to_owned);
    parse(authorization, date, token).ok_or_else(|| {
        ErrorResponse::new(
            "InvalidSignatureException",
            "The Authorization header is not one of AWS Signature Version 4.",
        )
    })
}

/// `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=...,
/// Signature=...`
fn parse(authorization: &str, date: &str, session_token: Option<String>) -> Option<Scope> {
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let part = |name: &str| {
        parts
            .split(',')
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let credential: Vec<&str> = part("Credential")?.split('/').collect();
    let [access_key, day, region, service, "aws4_request"] = credential.as_slice() else {
        return None;
    };
    let signed: Vec<&str> = part("SignedHeaders")?.split(';').collect();
    let signature = part("Signature")?;
    let signed_at = time_of(date)?;
    let well_formed = date.get(..8) == Some(day)
        && !access_key.is_empty()
        && !region.is_empty()
        && signed.contains(&"host")
        && signed.contains(&"x-amz-date")
        && (session_token.is_none() || signed.contains(&"x-amz-security-token"))
        && signature.len() == 64
        && signature.bytes().all(|b| b.is_ascii_hexdigit());
    well_formed.then(|| Scope {
        access_key: (*access_key).to_owned(),
        region: (*region).to_owned(),
        service: (*service).to_owned(),
        session_token,
        signed: signed_at,
    })
}

/// `20260909T191223Z`
fn time_of(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || time.len() != 6 || !is_number(date) || !is_number(time) {
        return None;
    }
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..]);
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "20260909T191223Z";

    fn authorization() -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20260909/us-west-2/imagebuilder/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={}",
            "0f".repeat(32)
        )
    }

    #[test]
    fn scope_names_key_region_and_service() {
        let scope = parse(&authorization(), DATE, None).unwrap();
        assert_eq!(scope.access_key, "AKID");
        assert_eq!(scope.region, "us-west-2");
        assert_eq!(scope.service, "imagebuilder");
    }

    #[test]
    fn signature_is_good_for_five_minutes_before_and_after_it() {
        let scope = parse(&authorization(), DATE, None).unwrap();
        let at = |seconds: i64| scope.signed.plus_millis(seconds * 1_000);
        for good in [-300, 0, 300] {
            assert_eq!(scope.check_time(at(good)), Ok(()), "{good}");
        }
        let late = scope.check_time(at(301)).unwrap_err();
        assert!(late.message.contains("expired: 2026-09-09T19:12:23.000Z"));
        assert_eq!(late.kind, "InvalidSignatureException");
        let early = scope.check_time(at(-301)).unwrap_err();
        assert!(early.message.contains("not yet current"));
    }

    #[test]
    fn other_signature_is_rejected() {
        let good = authorization();
        for (from, to) in [
            ("AWS4-HMAC-SHA256", "Bearer"),
            ("20260909", "20260910"),
            ("aws4_request", "aws5_request"),
            ("host;x-amz-date", "x-amz-date"),
            ("Signature=0f", "Signature=0"),
            ("Signature=0f", "Signature=0x"),
        ] {
            assert_eq!(parse(&good.replace(from, to), DATE, None), None, "{from}");
        }
        assert_eq!(parse(&good, "yesterday", None), None);
        let unsigned = Some("token".to_owned());
        assert_eq!(parse(&good, DATE, unsigned), None);
    }
}
