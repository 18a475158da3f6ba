//! Reads a text into a tree of nodes, or finds what is wrong with it as YAML.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::indicator;
use super::node::{Node, Position, Value};
use super::surrogates::Masked;
use super::syntax::{self, Opened, SyntaxFault};

/// The prefix of YAML's own tags: `!!str` is `tag:yaml.org,2002:str`.
const CORE_SCHEMA: &str = "tag:yaml.org,2002:";
/// Deeper nesting is refused, so that code may walk the tree by recursion. The keys need seven levels.
const DEEPEST: usize = 64;
/// Most nodes of a file, with aliases replaced by what they repeat. One takes up to 700 bytes.
const MOST_NODES: usize = 500_000;

/// What a text holds.
#[derive(Debug)]
pub(super) struct Tree {
    /// The first document; `None` where it cannot be read.
    pub root: Option<Node>,
    /// What is wrong with the text as YAML.
    pub fault: Option<SyntaxFault>,
}

impl Tree {
    pub(super) fn read(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut builder = Builder::default();
        let fault = syntax::control_character(text);
        // Before the parser reads the text: it keeps all of a list in brackets until its end.
        let fault = fault.or_else(|| indicator::at(text, MOST_NODES).map(too_many));
        let fault = fault.or_else(|| builder.read(text).err());
        let empty = || Node {
            at: Position::START,
            value: Value::Null,
        };
        Self {
            root: builder.root.or_else(|| fault.is_none().then(empty)),
            fault,
        }
    }
}

/// How large a node is with its aliases replaced by what they repeat.
#[derive(Clone, Copy, Default)]
struct Extent {
    depth: usize,
    nodes: usize,
}

/// A document, list or mapping whose end has not been read yet.
struct Open {
    opened: Opened,
    at: Position,
    anchor: usize,
    tag: Option<String>,
    /// A mapping's keys and values in turn.
    nodes: Vec<Node>,
    extent: Extent,
}

#[derive(Default)]
struct Builder {
    /// A document, then the collections of it, each in the one before.
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, Extent)>,
    /// The first document, once it is read.
    root: Option<Node>,
    /// How many nodes there are, with aliases replaced.
    nodes: usize,
}

impl Builder {
    /// Reads the first document, and a second one as far as it is needed to refuse it.
    fn read(&mut self, text: &str) -> Result<(), SyntaxFault> {
        let masked = Masked::new(text);
        for event in Parser::new_from_str(&masked.text) {
            let (event, span) = event.map_err(|error| {
                let open: Vec<_> = self.open.iter().skip(1).map(|open| open.opened).collect();
                let at = position(error.marker());
                match syntax::nested_too_deeply(text, at, DEEPEST) {
                    Some(at) => too_deep(at),
                    None => syntax::fault(text, at, &open),
                }
            })?;
            let at = position(&span.start);
            let opened = Opened {
                mapping: matches!(event, Event::MappingStart(..)),
                inside: position(&span.end),
            };
            match event {
                Event::DocumentStart(_) => self.open(opened, at, 0, None),
                Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                    if self.open.len() > DEEPEST {
                        return Err(too_deep(at));
                    }
                    self.open(opened, at, anchor, own_tag(tag.as_deref()));
                }
                Event::SequenceEnd | Event::MappingEnd => self.close()?,
                Event::Scalar(text, style, anchor, tag) => {
                    let at = self.key().filter(|_| span.is_empty()).unwrap_or(at);
                    let value = scalar(&masked.unmasked(&text, style), style, tag.as_deref());
                    self.add(at, value, anchor, Extent { depth: 0, nodes: 1 })?;
                }
                Event::Alias(anchor) => match self.anchors.get(&anchor) {
                    Some((value, extent)) if self.open.len() + extent.depth <= DEEPEST + 1 => {
                        let (value, extent) = (value.clone(), *extent);
                        self.add(at, value, 0, extent)?;
                    }
                    // An incomplete one would contain itself.
                    _ => return Err(too_deep(at)),
                },
                Event::DocumentEnd => self.end_document()?,
                Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
            }
        }
        Ok(())
    }

    fn open(&mut self, opened: Opened, at: Position, anchor: usize, tag: Option<String>) {
        self.open.push(Open {
            opened,
            at,
            anchor,
            tag,
            nodes: Vec::new(),
            extent: Extent::default(),
        });
    }

    fn close(&mut self) -> Result<(), SyntaxFault> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.tag {
            Some(tag) => Value::Tagged(tag),
            None if open.opened.mapping => Value::Mapping(pairs(open.nodes)),
            None => Value::Sequence(open.nodes.into()),
        };
        let extent = Extent {
            depth: open.extent.depth + 1,
            nodes: open.extent.nodes.saturating_add(1),
        };
        // The nodes in it were counted before.
        self.nodes -= open.extent.nodes;
        self.add(open.at, value, open.anchor, extent)
    }

    /// Adds a node to what is open.
    fn add(
        &mut self,
        at: Position,
        value: Value,
        anchor: usize,
        extent: Extent,
    ) -> Result<(), SyntaxFault> {
        self.nodes = self.nodes.saturating_add(extent.nodes);
        if self.nodes > MOST_NODES {
            return Err(too_many(at));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), extent));
        }
        if let Some(open) = self.open.last_mut() {
            open.extent.depth = open.extent.depth.max(extent.depth);
            open.extent.nodes = open.extent.nodes.saturating_add(extent.nodes);
            open.nodes.push(Node { at, value });
        }
        Ok(())
    }

    fn end_document(&mut self) -> Result<(), SyntaxFault> {
        let Some(document) = self.open.pop() else {
            return Ok(());
        };
        if self.root.is_some() {
            let message = "a second document begins here; write only one document";
            return Err(SyntaxFault::new(document.at, message));
        }
        self.root = document.nodes.into_iter().next();
        Ok(())
    }

    /// Returns the place of the key whose value is next.
    fn key(&self) -> Option<Position> {
        let open = self.open.last().filter(|open| open.opened.mapping)?;
        let is_key = !open.nodes.len().is_multiple_of(2);
        open.nodes.last().filter(|_| is_key).map(|key| key.at)
    }
}

fn position(marker: &Marker) -> Position {
    Position {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

fn too_many(at: Position) -> SyntaxFault {
    let message = format!(
        "the file has more than {MOST_NODES} values up to here, with those that aliases (*name) repeat; select pipelines or images in place of single steps, or remove aliases"
    );
    SyntaxFault::new(at, message)
}

fn too_deep(at: Position) -> SyntaxFault {
    let message =
        format!("lists and mappings are nested more than {DEEPEST} levels deep; remove levels");
    SyntaxFault::new(at, message)
}

fn pairs(nodes: Vec<Node>) -> std::rc::Rc<[(Node, Node)]> {
    let mut nodes = nodes.into_iter();
    std::iter::from_fn(|| Some((nodes.next()?, nodes.next()?))).collect()
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    if let Some(tag) = own_tag(tag) {
        return Value::Tagged(tag);
    }
    let tag = tag.map(whole);
    let kind = tag.as_deref().map(|tag| tag.strip_prefix(CORE_SCHEMA));
    match (kind, Value::plain(text)) {
        (None, plain) if style == ScalarStyle::Plain => plain,
        (Some(Some("null")), null @ Value::Null) => null,
        (Some(Some("bool")), switch @ Value::Switch(_)) => switch,
        (Some(Some("int" | "float")), integer @ Value::Integer(_)) => integer,
        (Some(Some("float")), float @ Value::Float(_)) => float,
        (Some(Some(kind @ ("null" | "bool" | "int" | "float"))), _) => {
            Value::Tagged(format!("!!{kind}"))
        }
        _ => Value::Text(text.into()),
    }
}

fn whole(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

/// Returns a tag that is not YAML's own, without its `!`.
fn own_tag(tag: Option<&Tag>) -> Option<String> {
    let tag = whole(tag?);
    match tag.strip_prefix('!')? {
        "" => Some(tag),
        own => Some(own.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Node {
        match Tree::read(text) {
            Tree {
                root: Some(root),
                fault: None,
            } => root,
            broken => panic!("{broken:?}"),
        }
    }

    fn fault(text: &str) -> String {
        let fault = Tree::read(text).fault.expect("the text is broken");
        format!("{}:{}: {}", fault.at.line, fault.at.column, fault.message)
    }

    /// The value of the first key.
    fn value(text: &str) -> Value {
        match root(text).value {
            Value::Mapping(entries) => entries[0].1.value.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn quoted_and_tagged_scalars_are_what_they_say() {
        for (text, expected) in [
            ("a: '1'", Value::Text("1".into())),
            ("a: !!str 1", Value::Text("1".into())),
            ("a: !!int '1'", Value::Integer(1)),
            ("a: !!float 1", Value::Integer(1)),
            ("a: !!bool 'true'", Value::Switch(true)),
            ("a: !!null ''", Value::Null),
            ("a: !!int one", Value::Tagged("!!int".to_owned())),
            ("a: !secret x", Value::Tagged("secret".to_owned())),
            ("a: !secret [x]", Value::Tagged("secret".to_owned())),
            ("a: ! x", Value::Tagged("!".to_owned())),
            ("a: !!seq []", Value::Sequence([].into())),
            ("a: |\n  1\n", Value::Text("1\n".into())),
            ("a:", Value::Null),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn value_that_is_left_out_stands_where_its_key_does() {
        let Value::Mapping(entries) = root("a: 1\n\n  \nb:\n\nc: 2").value else {
            panic!("it is a mapping");
        };
        let places = entries.iter().map(|(key, value)| (key.at, value.at));
        let places: Vec<_> = places.map(|(key, value)| (key.line, value.line)).collect();
        assert_eq!(places, [(1, 1), (4, 4), (6, 6)]);
    }

    #[test]
    fn alias_stands_where_it_is_written_and_what_is_in_it_where_that_is() {
        let Value::Sequence(items) = root("- &a [x]\n- *a").value else {
            panic!("it is a list");
        };
        assert_eq!(items[0], items[1]);
        assert_eq!(items[1].at, Position { line: 2, column: 3 });
        let Value::Sequence(inner) = &items[1].value else {
            panic!("it is a list");
        };
        assert_eq!(inner[0].at, Position { line: 1, column: 7 });
    }

    #[test]
    fn anchor_that_is_set_again_means_the_later_value() {
        let text = "a: [&x 1, *x, &x 2, *x]";
        let Value::Sequence(items) = value(text) else {
            panic!("it is a list");
        };
        assert_eq!(items[1].value, Value::Integer(1));
        assert_eq!(items[3].value, Value::Integer(2));
    }

    #[test]
    fn nesting_is_bounded_also_where_aliases_make_it() {
        let lists = |depth| "[".repeat(depth) + &"]".repeat(depth);
        root(&lists(DEEPEST));
        let too_deep =
            "1:65: lists and mappings are nested more than 64 levels deep; remove levels";
        assert_eq!(fault(&lists(DEEPEST + 1)), too_deep);
        assert!(fault("a: &a [*a]").contains("nested more than 64"));
        let mut chain = format!("- &a0 {}\n", lists(DEEPEST / 2));
        for n in 1..10_000 {
            chain += &format!("- &a{n} [*a{}]\n", n - 1);
        }
        assert!(fault(&chain).starts_with("33:9: lists and mappings are nested"));
        for deep in ["[", "{a: ", "- ", "? ", "[\n", "[{a: "] {
            let fault = fault(&deep.repeat(100_000));
            assert!(fault.contains("nested more than 64"), "{deep}: {fault}");
        }
    }

    #[test]
    fn escaped_surrogate_pair_is_a_character_in_double_quotes() {
        assert_eq!(value(r#"a: "\u00e9\U0001f600""#), Value::Text("é😀".into()));
        let pair = r"\ud83d\ude00";
        for (text, expected) in [
            (format!("a: \"<{pair}>\""), "<😀>"),
            (format!("\"{pair}\": \"{pair}\""), "😀"),
            (format!("a: '{pair}'"), pair),
            (format!("a: {pair}"), pair),
            (format!("# {pair} \"{pair}\"\na: b"), "b"),
        ] {
            assert_eq!(value(&text), Value::Text(expected.into()), "{text}");
        }
        let places = root(r#"["\ud83d\ude00", "\ud83d\ude00", x]"#);
        let Value::Sequence(items) = places.value else {
            panic!("it is a list");
        };
        let columns = items.iter().map(|item| item.at.column);
        assert_eq!(columns.collect::<Vec<_>>(), [2, 18, 34]);
    }

    #[test]
    fn half_a_surrogate_pair_is_a_fault_with_its_place() {
        for (text, place) in [
            (r#"a: "\ud83d""#, "1:5"),
            (r#"a: "\ude00\ud83d""#, "1:5"),
            (r#"a: "\ud83d\ude00 \ude00""#, "1:18"),
            ("a: \"b\n  \\ud83d\"", "2:3"),
        ] {
            let message = fault(text);
            let half = format!("{place}: the escape \"\\u");
            assert!(message.starts_with(&half), "{message}");
        }
        let message = fault(r#"a: "\U00110000""#);
        assert!(message.starts_with("1:5: this backslash"), "{message}");
    }

    #[test]
    fn text_that_is_no_document_holds_nothing() {
        for text in ["", "# nothing\n", "---\n", "\u{feff}"] {
            assert_eq!(root(text).value, Value::Null, "{text:?}");
        }
    }
}
