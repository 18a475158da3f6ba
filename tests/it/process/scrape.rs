//! The text of a scrape, to be looked things up in.

/// One scrape in the text format.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub text: String,
}

impl Scrape {
    /// The value of the one series that a selector like `name{label="value"}` matches; `None`
    /// where there is none. Labels that the selector does not name may be anything.
    pub fn value(&self, selector: &str) -> Option<f64> {
        let found = self.values(selector);
        assert!(found.len() <= 1, "{selector} matches {found:?}");
        found.first().copied()
    }

    /// The values of all series that match, in the order of the text.
    pub fn values(&self, selector: &str) -> Vec<f64> {
        let found = self.series(selector);
        found
            .iter()
            .map(|line| {
                let (_, value) = line.rsplit_once(' ').unwrap();
                value.parse().unwrap()
            })
            .collect()
    }

    /// The lines of all series that match.
    pub fn series(&self, selector: &str) -> Vec<&str> {
        let (name, wanted) = parts(selector);
        self.samples()
            .filter(|line| {
                let (found, labels) = parts(line.rsplit_once(' ').unwrap().0);
                found == name && wanted.iter().all(|label| labels.contains(label))
            })
            .collect()
    }

    /// The value of one label in all series that match.
    pub fn labels(&self, selector: &str, label: &str) -> Vec<String> {
        let of = |line: &&str| {
            let (_, labels) = parts(line.rsplit_once(' ').unwrap().0);
            let found = labels.into_iter().find(|(name, _)| *name == label)?;
            Some(found.1.to_owned())
        };
        self.series(selector).iter().filter_map(of).collect()
    }

    /// Every line that is no comment.
    pub fn samples(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| !line.starts_with('#'))
    }
}

/// A series' name, and its labels as they are written.
fn parts(series: &str) -> (&str, Vec<(&str, &str)>) {
    let Some((name, rest)) = series.split_once('{') else {
        return (series, Vec::new());
    };
    let mut rest = rest.strip_suffix('}').unwrap();
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, value) = rest.split_once("=\"").unwrap();
        let mut escaped = false;
        let end = value.find(|character| {
            let is_end = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            is_end
        });
        let end = end.unwrap();
        labels.push((label, &value[..end]));
        rest = value[end + 1..].trim_start_matches(',');
    }
    (name, labels)
}
