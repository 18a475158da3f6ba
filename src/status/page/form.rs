//! Renders the filter: a form that works without the script, which submits it while the user types.

use maud::{Markup, html};

use super::super::query::{LONGEST, Query, STATUSES};
use super::super::selection::Status;

/// The largest number of image names that the form suggests.
const PROPOSED: usize = 200;

pub(super) fn form(status: &Status<'_>) -> Markup {
    let query = status.query;
    let image = query.image.as_ref().map_or("", |(text, _)| text);
    html! {
        form id="filter" role="search" aria-label="Filter" method="get" {
            label.field.grow {
                "Text "
                input type="search" name="q" maxlength=(LONGEST) autocomplete="off"
                    placeholder="step, workflow, id, account, message" value=(query.text);
            }
            label.field {
                "Image "
                input name="image" list="images" maxlength=(LONGEST) autocomplete="off"
                    placeholder="golden-*" value=(image);
            }
            datalist id="images" {
                @for image in status.images.iter().take(PROPOSED) { option value=(image); }
            }
            @if query.per_page != Query::default().per_page {
                input type="hidden" name="per_page" value=(query.per_page);
            }
            div.buttons {
                button type="submit" { "Filter" }
                " "
                a class="button" id="clear" href="?" { "Clear" }
            }
            (statuses(query))
        }
    }
}

fn statuses(query: &Query) -> Markup {
    html! {
        details.statuses open[!query.statuses.is_empty()] {
            summary { "Status" }
            fieldset {
                legend { "Steps and executions with one of these" }
                @for status in STATUSES {
                    label.choice {
                        input type="checkbox" name="status" value=(status)
                            checked[query.statuses.contains(&status)];
                        " " (status.replace('_', " "))
                    }
                }
            }
        }
    }
}
