//! What AWS accepts as a region, a role, a session's name and the like, as far as a text can tell.

/// `us-west-2`, `us-gov-east-1`, `eusc-de-east-1`: lower case, a place, a number. Regions that don't
/// exist yet must pass, so no list of them is kept.
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [area, middle @ .., number] = parts.as_slice() else {
        return false;
    };
    !middle.is_empty()
        && area.len() >= 2
        && area.bytes().all(|b| b.is_ascii_lowercase())
        && middle.iter().all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// The ARN of an IAM role of any partition; the role may have a path.
pub(super) fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
        return false;
    };
    let Some((path, name)) = resource
        .strip_prefix("role/")
        .map(|role| role.rsplit_once('/').unwrap_or(("", role)))
    else {
        return false;
    };
    is_partition(partition)
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && path.bytes().all(|b| b.is_ascii_graphic())
        && (1..=64).contains(&name.len())
        && name.chars().all(|c| is_word(c) || "+=,.@-".contains(c))
        && text.len() <= 2048
}

/// `aws`, `aws-cn`, `aws-us-gov`, and those that end up on a map of their own.
fn is_partition(text: &str) -> bool {
    text.strip_prefix("aws").is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('-').is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
            })
    })
}

/// What STS takes as `RoleSessionName`: 2 to 64 of `[\w+=,.@-]`.
pub(super) fn is_session_name(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.chars().all(|c| is_word(c) || "+=,.@-".contains(c))
}

/// What STS takes as `ExternalId`: 2 to 1224 of `[\w+=,.@:\/-]`.
pub(super) fn is_external_id(text: &str) -> bool {
    (2..=1224).contains(&text.len()) && text.chars().all(|c| is_word(c) || "+=,.@:/-".contains(c))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Why a text can't be called as an endpoint, if it can't.
pub(super) fn endpoint_fault(text: &str) -> Option<&'static str> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest else {
        return Some("is not an http:// or https:// URL, such as http://127.0.0.1:8080");
    };
    if rest.contains(['?', '#']) {
        return Some("has a query or a fragment, which an endpoint can't have; end it before them");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Some("has a user or password, which would not be sent; take them out");
    }
    // The SDK reads an endpoint with the same type.
    match text.parse::<hyper::Uri>() {
        Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) && port_is_right(&uri) => None,
        _ => Some("is not a URL such as https://imagebuilder.us-west-2.amazonaws.com"),
    }
}

/// A port that was written is one.
fn port_is_right(uri: &hyper::Uri) -> bool {
    let after_host = uri.authority().and_then(|authority| {
        authority
            .as_str()
            .strip_prefix(uri.host().unwrap_or_default())
    });
    match after_host {
        Some("") => true,
        _ => uri.port_u16().is_some_and(|port| port > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_all_partitions_are_plausible() {
        for region in [
            "us-west-2",
            "us-gov-east-1",
            "us-isob-east-1",
            "cn-northwest-1",
            "eusc-de-east-1",
            "ap-southeast-7",
            "mx-central-1",
        ] {
            assert!(is_region(region), "{region}");
        }
        for text in [
            "",
            "us",
            "us-1",
            "us-west",
            "us-west-2a",
            "US-WEST-2",
            "us_west_2",
            "us--2",
            "us-west-",
            "us-west-2 ",
            "us-west-123",
            "*",
            "-west-2",
            "u-west-2",
        ] {
            assert!(!is_region(text), "{text}");
        }
    }

    #[test]
    fn roles_of_all_partitions_are_accepted() {
        for arn in [
            "arn:aws:iam::111122223333:role/imagebuilder-exporter",
            "arn:aws-cn:iam::111122223333:role/a",
            "arn:aws-us-gov:iam::111122223333:role/team/a_b+c=d,e.f@g-h",
            "arn:aws-iso-b:iam::111122223333:role/a/b/c",
        ] {
            assert!(is_role_arn(arn), "{arn}");
        }
        let long = format!("arn:aws:iam::111122223333:role/{}", "a".repeat(65));
        for text in [
            "",
            "imagebuilder-exporter",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role/a/",
            "arn:aws:iam::111122223333:role/a b",
            "arn:aws:iam::111122223333:user/a",
            "arn:aws:iam::11112222333:role/a",
            "arn:aws:iam::11112222333x:role/a",
            "arn:aws:iam:us-west-2:111122223333:role/a",
            "arn:aws:sts::111122223333:assumed-role/a/b",
            "arn:awsome:iam::111122223333:role/a",
            "arn:aws-:iam::111122223333:role/a",
            "arn:gcp:iam::111122223333:role/a",
            &long,
        ] {
            assert!(!is_role_arn(text), "{text}");
        }
    }

    #[test]
    fn names_for_sts_keep_its_bounds() {
        assert!(is_session_name("ab"));
        assert!(is_session_name(&"a".repeat(64)));
        assert!(!is_session_name("a"));
        assert!(!is_session_name(&"a".repeat(65)));
        assert!(!is_session_name("a/b"));
        assert!(!is_session_name("ä_"));
        assert!(is_external_id("a:/"));
        assert!(is_external_id(&"a".repeat(1224)));
        assert!(!is_external_id("a"));
        assert!(!is_external_id(&"a".repeat(1225)));
        assert!(!is_external_id("a b"));
    }

    #[test]
    fn endpoints_are_urls_that_can_be_called() {
        for url in [
            "http://127.0.0.1:8080",
            "https://imagebuilder.us-west-2.amazonaws.com",
            "https://vpce-1.imagebuilder.us-west-2.vpce.amazonaws.com/",
            "http://[::1]:8080/prefix",
            "http://localhost",
        ] {
            assert_eq!(endpoint_fault(url), None, "{url}");
        }
        for text in [
            "",
            "localhost:8080",
            "ftp://localhost",
            "http://",
            "http:///path",
            "http://:80",
            "http://host:",
            "http://host:0",
            "http://host:99999",
            "http://ho st",
            "http://host?x=1",
            "http://host#x",
            "http://user:password@host",
        ] {
            assert!(endpoint_fault(text).is_some(), "{text}");
        }
    }
}
