//! Checks the syntax of AWS identifiers: regions, accounts, names, versions, roles and sessions.
//!
//! The patterns are those of the service models of Image Builder, IAM and STS. Used by the ARNs of
//! this crate, by `config` and by the simulator.

/// Returns whether the text has the form of a region, such as `us-west-2`, `us-gov-east-1` or
/// `eusc-de-east-1`. There is no list of regions, so that future ones are valid.
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

/// Returns whether the text is the ARN of an IAM role of any partition; the role may have a path.
pub fn is_role_arn(text: &str) -> bool {
    role_parts(text).is_some()
}

/// Returns the account and the name of an IAM role, such as `111122223333` and `exporter` for
/// `arn:aws:iam::111122223333:role/team/exporter`. `None` for other text.
pub fn role_parts(arn: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
        return None;
    };
    let role = resource.strip_prefix("role/")?;
    let (path, name) = role.rsplit_once('/').unwrap_or(("", role));
    let well_formed = is_partition(partition)
        && is_account_id(account)
        && path.bytes().all(|b| b.is_ascii_graphic())
        && (1..=64).contains(&name.len())
        && name.chars().all(|c| is_word(c) || "+=,.@-".contains(c))
        && arn.len() <= 2048;
    well_formed.then_some((account, name))
}

/// Returns whether the text is twelve digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && is_number(text)
}

/// Returns whether the text is a valid name in an ARN: `a-z`, `0-9`, `-` and `_`.
pub fn is_arn_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// Returns whether the text is a semantic version such as `1.0.0`.
pub fn is_semantic_version(text: &str) -> bool {
    text.split('.').count() == 3 && text.split('.').all(is_number)
}

/// Returns whether the text consists of digits.
pub fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Returns whether the text has the form of a partition, such as `aws`, `aws-cn` or `aws-us-gov`.
pub(crate) fn is_partition(text: &str) -> bool {
    text.strip_prefix("aws").is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('-').is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
            })
    })
}

/// Returns the partition of a region; `None` for a region of a partition that is not known here.
pub(crate) fn partition_of(region: &str) -> Option<&'static str> {
    const SPECIAL: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    const COMMERCIAL: [&str; 9] = [
        "us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-",
    ];
    let special = SPECIAL.into_iter();
    let special = special.filter(|(prefix, _)| region.starts_with(prefix));
    let commercial = COMMERCIAL.into_iter();
    let commercial = commercial.filter(|prefix| region.starts_with(prefix));
    { special.map(|(_, partition)| partition) }
        .chain(commercial.map(|_| "aws"))
        .next()
}

/// Returns whether STS accepts the text as `RoleSessionName`: 2 to 64 of `[\w+=,.@-]`.
pub fn is_session_name(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.chars().all(|c| is_word(c) || "+=,.@-".contains(c))
}

/// Returns whether STS accepts the text as `ExternalId`: 2 to 1224 of `[\w+=,.@:\/-]`.
pub fn is_external_id(text: &str) -> bool {
    (2..=1224).contains(&text.len()) && text.chars().all(|c| is_word(c) || "+=,.@:/-".contains(c))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
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
}
