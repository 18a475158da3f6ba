//! The patterns of ARNs that requests about images and pipelines have in the service's model.

/// `ImageVersionArnOrBuildVersionArn`: `.../golden/1.0.0/1`, `.../golden/1.0.0`, `.../golden/1.x.x`.
pub(super) fn is_image(arn: &str) -> bool {
    let Some((name, version)) = rest(arn, "image/").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    is_name(name)
        && match version.split_once('/') {
            Some((version, build)) => is_version(version, is_number) && is_number(build),
            None => is_version(version, |node| node == "x" || is_number(node)),
        }
}

/// `ImageVersionArn`: an exact version and no build.
pub(super) fn is_image_version(arn: &str) -> bool {
    let parts = rest(arn, "image/").and_then(|rest| rest.split_once('/'));
    parts.is_some_and(|(name, version)| is_name(name) && is_version(version, is_number))
}

/// `ImagePipelineArn`
pub(super) fn is_pipeline(arn: &str) -> bool {
    rest(arn, "image-pipeline/").is_some_and(is_name)
}

/// What follows the resource's kind.
fn rest<'a>(arn: &'a str, kind: &str) -> Option<&'a str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "imagebuilder", region, owner, resource] = parts.as_slice() else {
        return None;
    };
    let account = owner.len() == 12 && is_number(owner);
    let owned = account || owner.starts_with("aws");
    (partition.starts_with("aws") && !region.is_empty() && owned)
        .then(|| resource.strip_prefix(kind))
        .flatten()
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_version(text: &str, is_node: fn(&str) -> bool) -> bool {
    text.split('.').count() == 3 && text.split('.').all(is_node)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arn_is_told_by_its_pattern() {
        let arn = |rest: &str| format!("arn:aws:imagebuilder:us-west-2:111122223333:{rest}");
        for (rest, image, version, pipeline) in [
            ("image/golden/1.0.0/1", true, false, false),
            ("image/golden/1.0.0", true, true, false),
            ("image/golden/1.x.x", true, false, false),
            ("image/golden/1.x.x/1", false, false, false),
            ("image/golden/1.0", false, false, false),
            ("image/Golden/1.0.0", false, false, false),
            ("image-pipeline/golden", false, false, true),
            ("image-pipeline/golden/1", false, false, false),
            ("image-pipeline/", false, false, false),
        ] {
            let arn = arn(rest);
            let told = (is_image(&arn), is_image_version(&arn), is_pipeline(&arn));
            assert_eq!(told, (image, version, pipeline), "{arn}");
        }
        for arn in [
            "image-pipeline/golden",
            "arn:aws:ec2:us-west-2:111122223333:image-pipeline/golden",
            "arn:aws:imagebuilder:us-west-2:1:image-pipeline/golden",
            "arn:aws:imagebuilder::111122223333:image-pipeline/golden",
        ] {
            assert!(!is_pipeline(arn), "{arn}");
        }
    }
}
