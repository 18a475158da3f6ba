//! Addresses of an image build and of its log stream in the AWS console.
//!
//! The form of the addresses is the console's own and not documented. It is what the browser's address
//! bar has when the console shows an image build version or a log stream.

use form_urlencoded::byte_serialize;

use crate::model::ImageArn;

/// Returns the address of an image build; `None` in a partition whose console is unknown.
pub(super) fn image_url(arn: &ImageArn) -> Option<String> {
    let arn_segment: String = byte_serialize(arn.as_str().as_bytes()).collect();
    url(
        arn,
        "imagebuilder",
        &format!("/images/{arn_segment}/details"),
    )
}

/// Returns the address of a log stream of an image build; `None` in a partition whose console is
/// unknown.
///
/// The console wants names percent-encoded twice, with `$` in place of the second `%`.
pub(super) fn logs_url(arn: &ImageArn, group: &str, stream: &str) -> Option<String> {
    let segment = |name: &str| {
        let encoded = percent_encode(name);
        encoded.replace('%', "$25")
    };
    let (group, stream) = (segment(group), segment(stream));
    url(
        arn,
        "cloudwatch",
        &format!("logsV2:log-groups/log-group/{group}/log-events/{stream}"),
    )
}

fn url(arn: &ImageArn, service: &str, place: &str) -> Option<String> {
    let domain = match arn.as_str().split(':').nth(1)? {
        "aws" => "console.aws.amazon.com",
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => return None,
    };
    // Of an ARN that was parsed, the region alone may hold anything.
    let region = arn.region();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    region
        .bytes()
        .all(plain)
        .then(|| format!("https://{region}.{domain}/{service}/home?region={region}#{place}"))
}

/// Encodes all but letters, digits and `-_.`, a space as `%20`.
fn percent_encode(text: &str) -> String {
    byte_serialize(text.as_bytes())
        .map(|part| part.replace('+', "%20"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_is_that_of_the_partition_and_region() {
        let url = |partition: &str, region: &str| {
            let arn =
                format!("arn:{partition}:imagebuilder:{region}:111122223333:image/golden/1.0.0/1");
            image_url(&ImageArn::parse(&arn).unwrap())
        };
        assert_eq!(
            url("aws", "us-west-2").unwrap(),
            "https://us-west-2.console.aws.amazon.com/imagebuilder/home?region=us-west-2\
             #/images/arn%3Aaws%3Aimagebuilder%3Aus-west-2%3A111122223333%3Aimage%2Fgolden%2F1.0.0%2F1\
             /details"
        );
        let domain = "https://cn-north-1.console.amazonaws.cn/";
        assert!(url("aws-cn", "cn-north-1").unwrap().starts_with(domain));
        let domain = "https://us-gov-west-1.console.amazonaws-us-gov.com/";
        assert!(
            url("aws-us-gov", "us-gov-west-1")
                .unwrap()
                .starts_with(domain)
        );
        let arn = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1";
        assert_eq!(
            logs_url(
                &ImageArn::parse(arn).unwrap(),
                "/aws/imagebuilder/My Golden",
                "1.0.0/1"
            ),
            Some(
                "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2\
                 #logsV2:log-groups/log-group/$252Faws$252Fimagebuilder$252FMy$2520Golden\
                 /log-events/1.0.0$252F1"
                    .to_owned()
            )
        );
        assert_eq!(url("aws-iso-b", "us-isob-east-1"), None);
        assert_eq!(url("aws", "evil.example/"), None);
    }
}
