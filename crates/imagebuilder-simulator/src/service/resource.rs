//! Checks the ARNs in requests about images and pipelines by the patterns of the service's model.

use imagebuilder_model::{ImageArn, PipelineArn};

/// Matches `ImageVersionArnOrBuildVersionArn`: `.../golden/1.0.0/1`, `.../golden/1.0.0`,
/// `.../golden/1.x.x`.
pub(crate) fn is_image(arn: &str) -> bool {
    let exact = || {
        let (image, version) = arn.rsplit_once('/')?;
        let nodes: Vec<&str> = version
            .split('.')
            .map(|node| if node == "x" { "0" } else { node })
            .collect();
        Some(format!("{image}/{}", nodes.join(".")))
    };
    ImageArn::parse(arn).is_some() || exact().is_some_and(|arn| is_image_version(&arn))
}

/// Matches `ImageVersionArn`: an exact version without a build number.
pub(crate) fn is_image_version(arn: &str) -> bool {
    ImageArn::parse(&format!("{arn}/1")).is_some()
}

/// Matches `ImagePipelineArn`.
pub(crate) fn is_pipeline(arn: &str) -> bool {
    PipelineArn::parse(arn).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_of_an_arn_is_found_by_its_pattern() {
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
            let kinds = (is_image(&arn), is_image_version(&arn), is_pipeline(&arn));
            assert_eq!(kinds, (image, version, pipeline), "{arn}");
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
