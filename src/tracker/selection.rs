//! Selects the pipelines and images of a target by their names and tags.

use std::collections::BTreeMap;

use globset::{Glob, GlobMatcher};

use crate::config::{Exclude, PipelineSelector, Target};
use crate::model::{Image, ImageArn, Pipeline, PipelineArn, Tags};

/// The selectors of one target, ready to be matched.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Two that are written the same are the same.
    written: Written,
    pipelines: Vec<(String, ByPipeline)>,
    images: Vec<(String, GlobMatcher)>,
    tags: Vec<(String, GlobMatcher)>,
    excluded_pipelines: Vec<GlobMatcher>,
    excluded_images: Vec<GlobMatcher>,
    excluded_tags: Vec<(String, GlobMatcher)>,
}

/// The selectors as in the configuration, for one region.
#[derive(Clone, Debug, Default, PartialEq)]
struct Written {
    region: String,
    pipelines: Vec<PipelineSelector>,
    images: Vec<Glob>,
    tags: BTreeMap<String, Glob>,
    exclude: Exclude,
}

impl PartialEq for Selection {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

#[derive(Clone, Debug)]
enum ByPipeline {
    Name(GlobMatcher),
    Arn(PipelineArn),
}

impl Selection {
    /// What `target` selects in `region`.
    pub fn new(target: &Target, region: &str) -> Self {
        let ready = |globs: &[Glob]| globs.iter().map(|glob| glob.compile_matcher()).collect();
        let tags = |tags: &BTreeMap<String, Glob>| {
            let ready = tags
                .iter()
                .map(|(key, glob)| (key.clone(), glob.compile_matcher()));
            ready.collect()
        };
        let pipelines = target
            .pipelines
            .iter()
            .filter_map(|selector| match selector {
                PipelineSelector::Name(glob) => {
                    let matcher = ByPipeline::Name(glob.compile_matcher());
                    Some((glob.glob().to_owned(), matcher))
                }
                PipelineSelector::Arn(arn) if arn.region() == region => {
                    Some((arn.as_str().to_owned(), ByPipeline::Arn(arn.clone())))
                }
                PipelineSelector::Arn(_) => None,
            });
        let images = target.images.iter();
        Self {
            written: Written {
                region: region.to_owned(),
                pipelines: target.pipelines.clone(),
                images: target.images.clone(),
                tags: target.tags.clone(),
                exclude: target.exclude.clone(),
            },
            pipelines: pipelines.collect(),
            images: images
                .map(|glob| (glob.glob().to_owned(), glob.compile_matcher()))
                .collect(),
            tags: tags(&target.tags),
            excluded_pipelines: ready(&target.exclude.pipelines),
            excluded_images: ready(&target.exclude.images),
            excluded_tags: tags(&target.exclude.tags),
        }
    }

    /// Whether pipelines are selected by name or ARN, so that the account's must be known.
    pub fn asks_for_pipelines(&self) -> bool {
        !self.pipelines.is_empty()
    }

    /// Whether anything is selected, so that the account's images must be known.
    pub fn asks_for_images(&self) -> bool {
        !self.images.is_empty() || self.asks_for_pipelines()
    }

    /// The selectors of pipelines as they are written.
    pub fn pipeline_selectors(&self) -> impl Iterator<Item = &str> {
        self.pipelines.iter().map(|(written, _)| written.as_str())
    }

    /// The selectors of images as they are written.
    pub fn image_selectors(&self) -> impl Iterator<Item = &str> {
        self.images.iter().map(|(written, _)| written.as_str())
    }

    /// The selectors, by their places, that choose this pipeline.
    pub fn choosing_pipeline(&self, pipeline: &Pipeline) -> impl Iterator<Item = usize> {
        let chosen = self.has_tags(&pipeline.tags) && !self.excludes_pipeline(&pipeline.arn);
        let places = self.places_of(&pipeline.arn);
        places.filter(move |_| chosen)
    }

    pub fn chooses_pipeline(&self, pipeline: &Pipeline) -> bool {
        self.choosing_pipeline(pipeline).next().is_some()
    }

    /// Whether a deleted pipeline was selected. Only its name can decide that, as its tags are deleted
    /// too.
    pub fn chose_pipeline(&self, arn: &PipelineArn) -> bool {
        let by_name = self.tags.is_empty() && self.excluded_tags.is_empty();
        by_name && self.names_pipeline(arn)
    }

    /// Whether a pipeline is selected as far as its name shows.
    pub fn names_pipeline(&self, arn: &PipelineArn) -> bool {
        !self.excludes_pipeline(arn) && self.places_of(arn).next().is_some()
    }

    /// Whether an image is selected as far as its name shows.
    pub fn names_image(&self, name: &str) -> bool {
        let is_match = |glob: &GlobMatcher| glob.is_match(name);
        self.images.iter().any(|(_, glob)| is_match(glob))
            && !self.excluded_images.iter().any(is_match)
    }

    /// The selectors of images, by their places, that choose this image.
    pub fn choosing_image(&self, image: &Image) -> impl Iterator<Item = usize> {
        let chosen = self.has_tags(&image.tags) && !self.excludes_image(image);
        let name = image.arn.name().to_owned();
        let selectors = self.images.iter().enumerate();
        selectors
            .filter(move |(_, (_, glob))| chosen && glob.is_match(&name))
            .map(|(place, _)| place)
    }

    pub fn chooses_image(&self, image: &Image) -> bool {
        self.choosing_image(image).next().is_some()
    }

    /// Whether the image is excluded, whatever pipeline built it.
    pub fn excludes_image(&self, image: &Image) -> bool {
        self.excludes_name(&image.arn) || has_any(&self.excluded_tags, &image.tags)
    }

    fn excludes_name(&self, arn: &ImageArn) -> bool {
        self.excluded_images
            .iter()
            .any(|glob| glob.is_match(arn.name()))
    }

    fn excludes_pipeline(&self, arn: &PipelineArn) -> bool {
        let globs = &self.excluded_pipelines;
        globs.iter().any(|glob| glob.is_match(arn.name()))
    }

    fn places_of(&self, arn: &PipelineArn) -> impl Iterator<Item = usize> {
        let arn = arn.clone();
        let selectors = self.pipelines.iter().enumerate();
        selectors
            .filter(move |(_, (_, selector))| match selector {
                ByPipeline::Name(glob) => glob.is_match(arn.name()),
                ByPipeline::Arn(selected) => *selected == arn,
            })
            .map(|(place, _)| place)
    }

    fn has_tags(&self, tags: &Tags) -> bool {
        let has = |(key, glob): &(String, GlobMatcher)| {
            let value = tags.get(key);
            value.is_some_and(|value| glob.is_match(value))
        };
        self.tags.iter().all(has) && !has_any(&self.excluded_tags, tags)
    }
}

fn has_any(wanted: &[(String, GlobMatcher)], tags: &Tags) -> bool {
    wanted.iter().any(|(key, glob)| {
        let value = tags.get(key);
        value.is_some_and(|value| glob.is_match(value))
    })
}
