//! Tests that untrusted text stays text.

use proptest::prelude::*;

use super::*;
use crate::model::{RegionFailure, RollbackStatus};

/// Returns the names of a page's tags and of their attributes, in their order.
fn skeleton(page: &str) -> Vec<String> {
    let mut names = Vec::new();
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        let mut parts = tag.split('"');
        let mut outside = String::new();
        while let Some(part) = parts.next() {
            outside.push_str(part);
            // The value of an attribute.
            let _ = parts.next();
        }
        names.push(outside);
    }
    names
}

/// Returns records with untrusted text in every member. The texts have a prefix, because empty ones
/// would be omitted.
fn untrusted(texts: &[String]) -> Known {
    let text = |at: usize| Some(format!("x{at}{}", texts[at]));
    let mut records = TargetRecords::default();
    let arn = image_arn("golden", 1);
    let failed = Image {
        platform: text(0),
        kind: text(1),
        failure: Some(ImageFailure {
            step: text(2),
            component: text(3),
            phase: text(4),
            component_step: text(5),
            component_action: text(6),
            reason: text(0),
            component_error: text(1),
            regions: vec![RegionFailure {
                region: text(2),
                account_id: text(3),
                status: text(4),
                configuration_step: text(5),
                error: text(6),
            }],
            ..ImageFailure::default()
        }),
        name: text(2),
        log_group: text(3),
        ..Image::with_status(arn.clone(), ImageStatus::Failed)
    };
    records.put_image(&failed);
    let running = WorkflowExecution {
        parallel_group: text(0),
        ..execution(WorkflowStatus::Unknown(text(1).unwrap().into()), 60)
    };
    records.execution(1, &arn, running);
    let step = StepExecution {
        rollback_status: Some(RollbackStatus::Unknown(text(2).unwrap().into())),
        action: text(3),
        on_failure: Some(OnFailure::Unknown(text(4).unwrap().into())),
        message: text(5),
        ..named(
            &text(6).unwrap(),
            StepStatus::Unknown(text(0).unwrap().into()),
        )
    };
    records.step(1, &arn, step);
    let mut known = records.known();
    known.sources[0].health = HealthView {
        up: Some(false),
        newest_fault: Some(FailedCall {
            at: ago(1),
            operation: Operation::GetImage,
            kind: ErrorKind::Network,
            message: text(1).unwrap().into(),
        }),
        ..HealthView::default()
    };
    known
}

/// Returns the source text of the page's modules.
fn sources() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/status/page");
    let files = std::fs::read_dir(folder).unwrap();
    let read = |path| std::fs::read_to_string(path).unwrap();
    files.map(|file| read(file.unwrap().path())).collect()
}

#[test]
fn only_the_file_of_icons_is_inserted_without_escapes() {
    assert_eq!(sources().matches("PreEscaped(").count(), 1);
    assert!(sources().contains("PreEscaped(include_str!(\"../assets/definitions.svg\"))"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn untrusted_text_does_not_change_the_elements_of_a_page(
        texts in proptest::collection::vec(
            prop_oneof![
                3 => "(?s).{0,40}",
                2 => proptest::sample::select(vec![
                    "</script><img src=x onerror=alert(1)>", "\" onmouseover=\"alert(1)", "'><svg onload=alert(1)>",
                    "<!--", "]]>", "&lt;b&gt;", "javascript:alert(1)", "\u{202e}\u{2066}gpj.exe", "\0\u{1b}[2J\u{9b}", "😀 ü\r\n\tx",
                ]).prop_map(str::to_owned),
            ],
            7,
        ),
    ) {
        let plain: Vec<String> = texts.iter().map(|_| "plain".to_owned()).collect();
        let known = untrusted(&texts);
        prop_assert_eq!(skeleton(&page_of(&known, "")), skeleton(&page_of(&untrusted(&plain), "")));
        // The JSON keeps the text, and its bytes contain no control characters for a terminal.
        let query = Query::default();
        let bytes = json(&Status::of(&known, &query), &site());
        let written = std::str::from_utf8(&bytes).unwrap();
        prop_assert!(!written.trim_end_matches('\n').contains(text::is_steering));
        let read: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(&read["steps"][0]["message"], &format!("x5{}", texts[5]));
        prop_assert_eq!(&read["steps"][0]["step"], &format!("x6{}", texts[6]));
    }

    #[test]
    fn any_search_text_is_in_the_form_and_does_not_change_the_elements(text in "(?s).{1,40}") {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", &text).finish();
        let known = TargetRecords::default().known();
        if text.trim().is_empty() {
            return Ok(());
        }
        let nothing_of = page_of(&known, "q=plain");
        prop_assert_eq!(skeleton(&page_of(&known, &query)), skeleton(&nothing_of));
    }
}
