//! Tests the parts around the builds: counts, sections, the form and the links between pages.

use super::*;

/// Returns one failed build and three ended ones.
fn four_builds() -> Known {
    let records = TargetRecords::default();
    for (at, status) in [
        WorkflowStatus::Failed,
        WorkflowStatus::Completed,
        WorkflowStatus::Completed,
        WorkflowStatus::Completed,
    ]
    .into_iter()
    .enumerate()
    {
        let at = at as u32 + 1;
        let arn = image_arn(["golden", "alpha"][at as usize % 2], at);
        records.execution(at, &arn, execution(status, i64::from(at)));
    }
    records.known()
}

#[test]
fn counts_link_to_their_builds_and_keep_the_other_parameters() {
    let page = page_of(&four_builds(), "q=build-image&per_page=7");
    let link = "<a href=\"?status=FAILED&amp;q=build-image&amp;per_page=7\">";
    assert!(page.contains(link), "{page}");
    let text = text_of(&page);
    assert!(
        text.contains("1 failed 0 running 3 ended Targets"),
        "{text}"
    );
    assert!(!page.contains("status=RUNNING&amp;"), "{page}");
}

#[test]
fn each_build_is_once_in_the_section_of_its_state_and_no_section_is_empty() {
    let page = page_of(&four_builds(), "");
    assert_eq!(page.matches("<article").count(), 4);
    let sections: Vec<&str> = { page.split("<section id=\"s-").skip(1) }
        .map(|section| section.split('"').next().unwrap())
        .collect();
    assert_eq!(sections, ["failed", "ended"]);
}

#[test]
fn incomplete_data_is_noted_only_if_there_is_any() {
    let starting = Known {
        ready: false,
        ..TargetRecords::default().known()
    };
    assert!(!page_of(&starting, "").contains("there may be more"));
}

/// Returns the links to the previous and the next page, and the link that refreshes the page.
fn page_links(known: &Known, query: &str) -> [Option<String>; 3] {
    let page = page_of(known, query);
    let href = |before: &str| {
        let (_, link) = page.split_once(before)?;
        let (_, link) = link.split_once("href=\"")?;
        Some(link.split('"').next()?.to_owned())
    };
    [
        href("rel=\"prev\""),
        href("rel=\"next\""),
        href("id=\"refresh\""),
    ]
}

#[test]
fn pages_link_to_their_neighbours() {
    let known = four_builds();
    let link = |link: &str| Some(link.to_owned());
    for (query, expected) in [
        (
            "per_page=2",
            [None, link("?per_page=2&amp;page=2"), link("?per_page=2")],
        ),
        (
            "per_page=1&page=2",
            [
                link("?per_page=1"),
                link("?per_page=1&amp;page=3"),
                link("?per_page=1&amp;page=2"),
            ],
        ),
        (
            "per_page=2&page=2",
            [link("?per_page=2"), None, link("?per_page=2&amp;page=2")],
        ),
        ("", [None, None, link("?")]),
    ] {
        assert_eq!(page_links(&known, query), expected, "{query}");
    }
    let page = page_of(&known, "per_page=2&page=2");
    assert!(text_of(&page).contains("Page 2 of 2, 4 workflow executions"));
    assert!(!page_of(&known, "").contains("<nav"));
}

#[test]
fn form_has_the_values_of_the_query() {
    let known = four_builds();
    let page = page_of(&known, "q=a+%22b%22&image=gol*&status=gone&per_page=7");
    for part in [
        "name=\"q\" maxlength=\"256\"",
        "value=\"a &quot;b&quot;\"",
        "value=\"gol*\"",
        "<input type=\"hidden\" name=\"per_page\" value=\"7\">",
        "<details class=\"statuses\" open>",
        "value=\"GONE\" checked>",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert_eq!(page.matches(" checked").count(), 1);
    let page = page_of(&known, "");
    for part in ["name=\"per_page\"", "class=\"statuses\" open", " checked"] {
        assert!(!page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn names_of_images_are_suggested_once_in_order_and_up_to_a_maximum() {
    let page = page_of(&four_builds(), "status=FAILED");
    let suggestions =
        "<datalist id=\"images\"><option value=\"alpha\"><option value=\"golden\"></datalist>";
    assert!(page.contains(suggestions), "{page}");
    let records = TargetRecords::default();
    for number in 0..250 {
        let name = format!("golden-{number}");
        records.image(&name, 1, ImageStatus::Available, ago(60));
    }
    let page = page_of(&records.known(), "");
    assert_eq!(page.matches("<option").count(), 200);
}
