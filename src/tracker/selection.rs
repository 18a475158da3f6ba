//! Selects the pipelines and images of a target by their names and tags.

use std::collections::BTreeMap;

use crate::config::{Exclude, PipelineSelector, Target};
use crate::model::{Glob, Image, ImageArn, Pipeline, PipelineArn, Tags};

/// The selectors of one target in one region.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    pipelines: Vec<PipelineSelector>,
    images: Vec<Glob>,
    tags: BTreeMap<String, Glob>,
    exclude: Exclude,
}

impl Selection {
    /// What `target` selects in `region`.
    pub fn new(target: &Target, region: &str) -> Self {
        let is_here = |selector: &&PipelineSelector| match selector {
            PipelineSelector::Name(_) => true,
            PipelineSelector::Arn(arn) => arn.region() == region,
        };
        Self {
            pipelines: target.pipelines.iter().filter(is_here).cloned().collect(),
            images: target.images.clone(),
            tags: target.tags.clone(),
            exclude: target.exclude.clone(),
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
        self.pipelines.iter().map(|selector| match selector {
            PipelineSelector::Name(glob) => glob.text(),
            PipelineSelector::Arn(arn) => arn.as_str(),
        })
    }

    /// The selectors of images as they are written.
    pub fn image_selectors(&self) -> impl Iterator<Item = &str> {
        self.images.iter().map(Glob::text)
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
        let by_name = self.tags.is_empty() && self.exclude.tags.is_empty();
        by_name && self.names_pipeline(arn)
    }

    /// Whether a pipeline is selected as far as its name shows.
    pub fn names_pipeline(&self, arn: &PipelineArn) -> bool {
        !self.excludes_pipeline(arn) && self.places_of(arn).next().is_some()
    }

    /// Whether an image is selected as far as its name shows.
    pub fn names_image(&self, name: &str) -> bool {
        let is_match = |glob: &Glob| glob.is_match(name);
        self.images.iter().any(is_match) && !self.exclude.images.iter().any(is_match)
    }

    /// The selectors of images, by their places, that choose this image.
    pub fn choosing_image(&self, image: &Image) -> impl Iterator<Item = usize> {
        let chosen = self.has_tags(&image.tags) && !self.excludes_image(image);
        let name = image.arn.name().to_owned();
        let selectors = self.images.iter().enumerate();
        selectors
            .filter(move |(_, glob)| chosen && glob.is_match(&name))
            .map(|(place, _)| place)
    }

    pub fn chooses_image(&self, image: &Image) -> bool {
        self.choosing_image(image).next().is_some()
    }

    /// Whether the image is excluded, whatever pipeline built it.
    pub fn excludes_image(&self, image: &Image) -> bool {
        self.excludes_name(&image.arn) || has_any(&self.exclude.tags, &image.tags)
    }

    fn excludes_name(&self, arn: &ImageArn) -> bool {
        let globs = &self.exclude.images;
        globs.iter().any(|glob| glob.is_match(arn.name()))
    }

    fn excludes_pipeline(&self, arn: &PipelineArn) -> bool {
        let globs = &self.exclude.pipelines;
        globs.iter().any(|glob| glob.is_match(arn.name()))
    }

    fn places_of(&self, arn: &PipelineArn) -> impl Iterator<Item = usize> {
        let arn = arn.clone();
        let selectors = self.pipelines.iter().enumerate();
        selectors
            .filter(move |(_, selector)| match selector {
                PipelineSelector::Name(glob) => glob.is_match(arn.name()),
                PipelineSelector::Arn(selected) => *selected == arn,
            })
            .map(|(place, _)| place)
    }

    fn has_tags(&self, tags: &Tags) -> bool {
        self.tags.iter().all(|wanted| has(tags, wanted)) && !has_any(&self.exclude.tags, tags)
    }
}

fn has(tags: &Tags, (key, glob): (&String, &Glob)) -> bool {
    tags.get(key).is_some_and(|value| glob.is_match(value))
}

fn has_any(wanted: &BTreeMap<String, Glob>, tags: &Tags) -> bool {
    wanted.iter().any(|wanted| has(tags, wanted))
}
