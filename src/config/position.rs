//! Where each node of the document stands: the second reading of the file, made only when there is
//! something to say about it.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser};

use super::problem::Place;

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    pub const START: Self = Self { line: 1, column: 1 };

    fn of(marker: Marker) -> Self {
        Self {
            line: marker.line().max(1),
            column: marker.col() + 1,
        }
    }
}

/// The nodes of the first document in the order they begin; a tree without recursion, since what is
/// read here may be nested to any depth.
pub(super) struct Positions {
    nodes: Vec<Vec<Child>>,
    root: Position,
    /// Where each document of the file begins.
    documents: Vec<Position>,
}

struct Child {
    /// An item's is its value's.
    key: Position,
    value: Position,
    node: usize,
}

/// A collection whose end hasn't been read yet.
struct Open {
    node: usize,
    mapping: bool,
    key: Option<Position>,
}

impl Positions {
    /// Reads as far as the text can be read; what lies behind a syntax error has no position.
    pub fn read(text: &str) -> Self {
        let mut positions = Self {
            nodes: Vec::new(),
            root: Position::START,
            documents: Vec::new(),
        };
        let mut open: Vec<Open> = Vec::new();
        let mut anchors: HashMap<usize, usize> = HashMap::new();
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            let at = Position::of(span.start);
            match event {
                Event::DocumentStart(_) => positions.documents.push(at),
                // Of later documents only the start matters.
                _ if positions.documents.len() > 1 => {}
                Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                    let node = positions.add(&mut open, at, None);
                    anchors.insert(anchor, node);
                    open.push(Open {
                        node,
                        mapping: matches!(event, Event::MappingStart(..)),
                        key: None,
                    });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                }
                Event::Scalar(_, _, anchor, _) => {
                    // A value that was left out is reported where its key stands.
                    let left_out = span.is_empty();
                    let key = open.last().and_then(|open| open.key);
                    let at = key.filter(|_| left_out).unwrap_or(at);
                    let node = positions.add(&mut open, at, None);
                    anchors.insert(anchor, node);
                }
                Event::Alias(anchor) => {
                    positions.add(&mut open, at, anchors.get(&anchor).copied());
                }
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        positions
    }

    /// Puts a node into the collection that is open: a new one, or the one an alias stands for.
    fn add(&mut self, open: &mut [Open], at: Position, aliased: Option<usize>) -> usize {
        let node = aliased.unwrap_or_else(|| {
            self.nodes.push(Vec::new());
            self.nodes.len() - 1
        });
        match open.last_mut() {
            None => self.root = at,
            Some(parent) if parent.mapping && parent.key.is_none() => parent.key = Some(at),
            Some(parent) => {
                let key = parent.key.take().unwrap_or(at);
                self.nodes[parent.node].push(Child {
                    key,
                    value: at,
                    node,
                });
            }
        }
        node
    }

    /// Where the place stands, or the nearest thing around it that is known.
    pub fn of(&self, place: &Place) -> Position {
        let mut at = self.root;
        let mut node = 0;
        for (depth, ordinal) in place.ordinals.iter().enumerate() {
            let Some(child) = self.nodes.get(node).and_then(|node| node.get(*ordinal)) else {
                return at;
            };
            let last = depth + 1 == place.ordinals.len();
            at = if last && place.key {
                child.key
            } else {
                child.value
            };
            node = child.node;
        }
        at
    }

    /// Where a document begins, counted from 0; the last one's where there are fewer.
    pub fn document(&self, number: usize) -> Position {
        let at = self.documents.get(number).or(self.documents.last());
        at.copied().unwrap_or(Position::START)
    }
}
