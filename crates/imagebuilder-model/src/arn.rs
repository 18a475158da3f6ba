//! ARNs of images, pipelines and workflows, split into the parts that become labels.

use std::fmt;
use std::sync::Arc;

use super::identifier::{
    is_account_id, is_arn_name, is_number, is_partition, is_semantic_version, partition_of,
};

/// An image build version: `arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageArn {
    arn: Arc<str>,
    resource: Resource,
}

impl ImageArn {
    /// Parses the ARN of an image build version, of any partition; `None` for other text.
    pub fn parse(arn: &str) -> Option<Self> {
        let resource = Resource::parse(arn, &["image"])?;
        Some(Self {
            arn: Arc::from(arn),
            resource,
        })
    }

    pub fn as_str(&self) -> &str {
        &self.arn
    }

    pub fn region(&self) -> &str {
        region(&self.arn)
    }

    /// Returns whether the ARN is of this region, and of the partition of this region.
    pub fn is_of_region(&self, region: &str) -> bool {
        is_of_region(&self.arn, region)
    }

    /// Returns the owner: twelve digits, a name such as `aws` for an image that Amazon manages, or
    /// `third-party`.
    pub fn account_id(&self) -> &str {
        self.resource.owner.of(&self.arn)
    }

    /// Returns the image's name in the ARN, such as `golden-linux`.
    pub fn name(&self) -> &str {
        self.resource.name.of(&self.arn)
    }

    /// Returns the semantic version and the build number, such as `1.0.0/1`.
    pub fn version(&self) -> &str {
        self.resource.version.of(&self.arn)
    }
}

/// A pipeline: `arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/golden`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineArn {
    arn: Arc<str>,
    owner: Span,
    name: Span,
}

impl fmt::Display for ImageArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

impl PipelineArn {
    /// Parses the ARN of a pipeline, of any partition; `None` for other text.
    pub fn parse(arn: &str) -> Option<Self> {
        let (owner, path) = owner_and_path(arn)?;
        let name = path.strip_prefix("image-pipeline/")?;
        is_arn_name(name).then(|| Self {
            arn: Arc::from(arn),
            owner: Span::within(arn, owner),
            name: Span::within(arn, name),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.arn
    }

    pub fn region(&self) -> &str {
        region(&self.arn)
    }

    /// Returns whether the ARN is of this region, and of the partition of this region.
    pub fn is_of_region(&self, region: &str) -> bool {
        is_of_region(&self.arn, region)
    }

    /// Returns the owner: twelve digits.
    pub fn account_id(&self) -> &str {
        self.owner.of(&self.arn)
    }

    /// Returns the pipeline's name in the ARN, such as `golden-linux`.
    pub fn name(&self) -> &str {
        self.name.of(&self.arn)
    }
}

/// Returns the name of the component or recipe with this ARN, such as `golden` for
/// `arn:aws:imagebuilder:us-west-2:111122223333:image-recipe/golden/1.0.0`.
///
/// `kinds` are the accepted types of resources. `None` for other text.
pub fn resource_name<'a>(arn: &'a str, kinds: &[&str]) -> Option<&'a str> {
    let (_, path) = owner_and_path(arn)?;
    let (kind, rest) = path.split_once('/')?;
    let name = rest.split('/').next().unwrap_or(rest);
    (kinds.contains(&kind) && is_arn_name(name)).then_some(name)
}

/// A workflow build version:
/// `arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.3/1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkflowArn {
    arn: Arc<str>,
    kind: Span,
    resource: Resource,
}

impl WorkflowArn {
    /// Parses the ARN of a workflow build version, of any partition; `None` for other text.
    pub fn parse(arn: &str) -> Option<Self> {
        for kind in ["build", "test", "distribution"] {
            if let Some(resource) = Resource::parse(arn, &["workflow", kind]) {
                let end = resource.name.start - 1;
                return Some(Self {
                    arn: Arc::from(arn),
                    kind: Span {
                        start: end - kind.len() as u16,
                        end,
                    },
                    resource,
                });
            }
        }
        None
    }

    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// Returns the workflow's type: `build`, `test` or `distribution`.
    pub fn kind(&self) -> &str {
        self.kind.of(&self.arn)
    }

    /// Returns the workflow's name in the ARN, such as `build-image`.
    pub fn name(&self) -> &str {
        self.resource.name.of(&self.arn)
    }

    /// Returns the semantic version and the build number, such as `1.0.3/1`.
    pub fn version(&self) -> &str {
        self.resource.version.of(&self.arn)
    }
}

/// Maximum length of a text in the service's model, except for `PaginationToken`.
const LONGEST: usize = 1024;

/// The positions of the parts of an ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Resource {
    owner: Span,
    name: Span,
    version: Span,
}

impl Resource {
    /// `arn:PARTITION:imagebuilder:REGION:OWNER:KIND[/KIND]/NAME/X.Y.Z/BUILD`
    fn parse(arn: &str, kinds: &[&str]) -> Option<Self> {
        let (owner, path) = owner_and_path(arn)?;
        let mut rest = path;
        for kind in kinds {
            rest = rest.strip_prefix(kind)?.strip_prefix('/')?;
        }
        let (name, version) = rest.split_once('/')?;
        if !is_arn_name(name) || !is_build_version(version) {
            return None;
        }
        Some(Self {
            owner: Span::within(arn, owner),
            name: Span::within(arn, name),
            version: Span::within(arn, version),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// Returns the position of `part`, a slice of `arn`, which has at most [`LONGEST`] bytes.
    fn within(arn: &str, part: &str) -> Self {
        let start = part.as_ptr() as usize - arn.as_ptr() as usize;
        Self {
            start: start as u16,
            end: (start + part.len()) as u16,
        }
    }

    fn of<'a>(&self, arn: &'a str) -> &'a str {
        &arn[usize::from(self.start)..usize::from(self.end)]
    }
}

/// `arn:PARTITION:imagebuilder:REGION:OWNER:PATH`
fn owner_and_path(arn: &str) -> Option<(&str, &str)> {
    if arn.len() > LONGEST {
        return None;
    }
    let mut parts = arn.splitn(6, ':');
    let (prefix, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, owner, path) = (parts.next()?, parts.next()?, parts.next()?);
    let is_one = prefix == "arn" && service == "imagebuilder" && is_partition(partition);
    (is_one && !region.is_empty() && is_owner(owner)).then_some((owner, path))
}

/// Returns the region of a parsed ARN.
fn region(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}

fn is_of_region(arn: &str, expected: &str) -> bool {
    let partition = arn.split(':').nth(1);
    region(arn) == expected && partition_of(expected).is_none_or(|of| partition == Some(of))
}

/// Returns whether the text is an account, a name of Amazon such as `aws-marketplace`, or
/// `third-party`.
fn is_owner(text: &str) -> bool {
    is_account_id(text) || is_partition(text) || text == "third-party"
}

fn is_build_version(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(version, build)| is_semantic_version(version) && is_number(build))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_arn_gives_account_name_and_version_in_every_partition() {
        for partition in ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"] {
            let text = format!(
                "arn:{partition}:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/12"
            );
            let arn = ImageArn::parse(&text).unwrap();
            assert_eq!(arn.as_str(), text);
            assert_eq!(arn.account_id(), "111122223333");
            assert_eq!(arn.name(), "golden");
            assert_eq!(arn.version(), "1.0.0/12");
        }
    }

    #[test]
    fn workflow_arn_gives_type_name_and_version_also_of_a_managed_one() {
        let text = "arn:aws:imagebuilder:us-west-2:aws:workflow/build/build-image/1.0.3/1";
        let arn = WorkflowArn::parse(text).unwrap();
        assert_eq!(arn.as_str(), text);
        assert_eq!(arn.kind(), "build");
        assert_eq!(arn.name(), "build-image");
        assert_eq!(arn.version(), "1.0.3/1");
    }

    #[test]
    fn pipeline_arn_gives_account_region_and_name() {
        let text = "arn:aws-cn:imagebuilder:cn-north-1:111122223333:image-pipeline/golden-linux";
        let arn = PipelineArn::parse(text).unwrap();
        assert_eq!(arn.as_str(), text);
        assert_eq!(arn.region(), "cn-north-1");
        assert_eq!(arn.account_id(), "111122223333");
        assert_eq!(arn.name(), "golden-linux");
        for text in [
            "golden-linux",
            "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/Golden",
            "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/",
            "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1",
        ] {
            assert_eq!(PipelineArn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn owner_is_an_account_amazon_or_a_third_party() {
        for owner in ["111122223333", "aws", "aws-marketplace", "third-party"] {
            let of = |path: &str| format!("arn:aws:imagebuilder:us-west-2:{owner}:{path}");
            let image = ImageArn::parse(&of("image/golden/1.0.0/1")).unwrap();
            assert_eq!(image.account_id(), owner);
            let component = of("component/install-agent/2.1.0/4");
            let name = resource_name(&component, &["component"]);
            assert_eq!(name, Some("install-agent"));
            assert!(WorkflowArn::parse(&of("workflow/build/build-image/1.0.3/1")).is_some());
        }
        for owner in ["", "third", "Third-Party", "1111222233334", "amazon"] {
            let arn = format!("arn:aws:imagebuilder:us-west-2:{owner}:image/golden/1.0.0/1");
            assert_eq!(ImageArn::parse(&arn), None, "{arn}");
        }
    }

    #[test]
    fn recipe_and_component_arns_give_their_names() {
        let arn = "arn:aws:imagebuilder:us-west-2:aws:component/install-agent/2.1.0/4";
        assert_eq!(resource_name(arn, &["component"]), Some("install-agent"));
        assert_eq!(resource_name(arn, &["image-recipe"]), None);
        assert_eq!(resource_name("install-agent", &["component"]), None);
    }

    #[test]
    fn invalid_arn_is_rejected() {
        for text in [
            "",
            "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0",
            "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/x.x.x/1",
            "arn:aws:imagebuilder:us-west-2:111122223333:image/Golden/1.0.0/1",
            "arn:aws:imagebuilder:us-west-2:11112222333:image/golden/1.0.0/1",
            "arn:aws:imagebuilder::111122223333:image/golden/1.0.0/1",
            "arn:azure:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1",
            "arn:aws:ec2:us-west-2:111122223333:image/golden/1.0.0/1",
            "arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1/2",
        ] {
            assert_eq!(ImageArn::parse(text), None, "{text}");
        }
        assert_eq!(
            WorkflowArn::parse("arn:aws:imagebuilder:us-west-2:aws:workflow/other/x/1.0.3/1"),
            None
        );
    }

    #[test]
    fn arn_is_of_one_region_and_its_partition() {
        let of = |partition: &str, region: &str, polled: &str| {
            let arn =
                format!("arn:{partition}:imagebuilder:{region}:111122223333:image-pipeline/golden");
            PipelineArn::parse(&arn).is_some_and(|arn| arn.is_of_region(polled))
        };
        for (partition, region) in [
            ("aws", "us-west-2"),
            ("aws-cn", "cn-north-1"),
            ("aws-us-gov", "us-gov-west-1"),
            ("aws-iso-b", "us-isob-east-1"),
            ("aws-of-tomorrow", "moon-north-1"),
        ] {
            assert!(of(partition, region, region), "{partition} {region}");
        }
        assert!(!of("aws", "us-east-1", "us-west-2"));
        assert!(!of("aws-cn", "us-west-2", "us-west-2"));
        assert!(!of("aws", "us-gov-west-1", "us-gov-west-1"));
    }
}
