//! Draws the durations of one step, build by build, and from when on two rules call it slow.

use std::time::Duration;

use fastrand::Rng;

use super::simulation::{Rule, noise};

const TYPICAL: Duration = Duration::from_secs(9 * 60);
const BUILDS: usize = 48;
const LEFT: f64 = 60.0;
const TOP: f64 = 40.0;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
/// The minutes of the lines, the lowest and the highest of which bound the picture.
const MINUTES: [f64; 7] = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0];

/// The colours of the lines, their dashes and names.
const LINES: [(&str, &str, &str); 2] = [
    ("#1f5fbf", "none", "slow after"),
    (
        "#888888",
        "5 4",
        "starting rule: max(2 x largest, median + 5 min)",
    ),
];

/// The picture of these rules, as SVG.
pub(super) fn svg(rules: [Rule; 2]) -> String {
    let durations = durations();
    let mut text = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 400\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Durations of a step, and from when on it is slow</title>\n\
         <rect width=\"800\" height=\"400\" fill=\"#ffffff\"/>\n"
        .to_owned();
    text += &axes();
    for (rule, (colour, dashes, name)) in rules.iter().zip(LINES) {
        text += &limits(
            *rule,
            &durations,
            &format!(
                "fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\""
            ),
        );
        let line = if name == LINES[0].2 { 14.0 } else { 30.0 };
        text += &label(LEFT, line, colour, name);
    }
    for (build, duration) in durations.iter().enumerate() {
        let last = &durations[build.saturating_sub(10)..build];
        let is_slow = rules[0](last).is_some_and(|limit| build >= 3 && *duration > limit);
        let colour = if is_slow { "#c62828" } else { "#222222" };
        let (x, y) = (x(build), y(*duration));
        text += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n");
    }
    for (build, name) in [
        (0, "steady"),
        (12, "some cache misses"),
        (26, "twice as long"),
        (38, "4 x as long again"),
    ] {
        text += &label(x(build), TOP + HEIGHT + 18.0, "#222222", name);
    }
    text += &label(
        LEFT + 480.0,
        14.0,
        "#c62828",
        "red: a healthy build that was slow",
    );
    text += &label(
        LEFT,
        388.0,
        "#222222",
        "builds of one image; minutes of the step, logarithmic",
    );
    text + "</svg>\n"
}

/// A step that is steady at first, then misses a cache at times, and becomes slower for good twice.
fn durations() -> Vec<Duration> {
    let mut rng = Rng::with_seed(7);
    let times = |build: usize| match build {
        15 | 19 | 20 => 2.2,
        0..26 => 1.0,
        26..38 => 2.0,
        _ => 8.0,
    };
    (0..BUILDS)
        .map(|build| TYPICAL.mul_f64(times(build) * noise(&mut rng, 0.06)))
        .collect()
}

fn axes() -> String {
    let lines = MINUTES.map(|minutes| {
        let y = y(Duration::from_secs_f64(60.0 * minutes));
        let right = LEFT + WIDTH;
        let line = format!("<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#dddddd\"/>\n");
        line + &label(10.0, y + 4.0, "#222222", &format!("{minutes} min"))
    });
    lines.concat()
}

/// The limit for each build that has a baseline, as steps.
fn limits(rule: Rule, durations: &[Duration], style: &str) -> String {
    let half = WIDTH / BUILDS as f64 / 2.0;
    let mut path = String::new();
    for build in 3..BUILDS {
        let limit = rule(&durations[build.saturating_sub(10)..build]).unwrap();
        let start = if path.is_empty() { 'M' } else { 'L' };
        let (left, right, y) = (x(build) - half, x(build) + half, y(limit));
        path += &format!("{start}{left:.1} {y:.1}H{right:.1}");
    }
    format!("<path d=\"{path}\" {style}/>\n")
}

fn label(x: f64, y: f64, colour: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{text}</text>\n")
}

fn x(build: usize) -> f64 {
    LEFT + WIDTH * (build as f64 + 0.5) / BUILDS as f64
}

fn y(duration: Duration) -> f64 {
    let [lowest, .., highest] = MINUTES;
    let minutes = duration.as_secs_f64() / 60.0;
    TOP + HEIGHT * (highest / minutes).ln() / (highest / lowest).ln()
}
