//! Where the AWS console shows an image build.
//!
//! The form of the address is the console's own and written down nowhere: it is what the console has
//! in the browser's address bar when one looks at an image build version, its ARN being one segment
//! of the path.

use form_urlencoded::byte_serialize;

use crate::model::ImageArn;

/// `None` in a partition whose console is at an address we don't know.
pub(super) fn image_url(arn: &ImageArn) -> Option<String> {
    let domain = match arn.as_str().split(':').nth(1)? {
        "aws" => "console.aws.amazon.com",
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => return None,
    };
    // Of an ARN that was parsed, the region alone may hold anything.
    let region = arn.region();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    region.bytes().all(plain).then(|| {
        format!(
            "https://{region}.{domain}/imagebuilder/home?region={region}#/images/{}/details",
            byte_serialize(arn.as_str().as_bytes()).collect::<String>()
        )
    })
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
        assert_eq!(url("aws-iso-b", "us-isob-east-1"), None);
        assert_eq!(url("aws", "evil.example/"), None);
    }
}
