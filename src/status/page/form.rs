//! The filter: a form that works by itself, and that the script sends while somebody types.

use super::super::Status;
use super::super::markup::Markup;
use super::super::query::STATUSES;

/// Names of images that are proposed.
const PROPOSED: usize = 200;

pub fn form(out: &mut Markup, status: &Status<'_>) {
    let query = status.query;
    out.raw("<form id=\"filter\" role=\"search\" aria-label=\"Filter\" method=\"get\">\n");
    out.raw("<label class=\"field grow\">Text <input type=\"search\" name=\"q\" maxlength=\"256\" autocomplete=\"off\" placeholder=\"step, workflow, id, account, message\" value=\"");
    out.text(&query.text).raw("\"></label>\n");
    out.raw("<label class=\"field\">Image <input name=\"image\" list=\"images\" maxlength=\"256\" autocomplete=\"off\" placeholder=\"golden-*\" value=\"");
    let image = query.image.as_ref().map_or("", |(text, _)| text);
    out.text(image).raw("\"></label>\n<datalist id=\"images\">");
    for image in status.images.iter().take(PROPOSED) {
        out.put("<option value=\"", image, "\">");
    }
    out.raw("</datalist>\n");
    let default = super::super::Query::default().per_page;
    if query.per_page != default {
        out.put(
            "<input type=\"hidden\" name=\"per_page\" value=\"",
            query.per_page,
            "\">\n",
        );
    }
    out.raw("<div class=\"buttons\"><button type=\"submit\">Filter</button> ");
    out.raw("<a class=\"button\" id=\"clear\" href=\"?\">Clear</a></div>\n");
    out.raw(match query.statuses.is_empty() {
        true => "<details class=\"statuses\"><summary>Status</summary>\n",
        false => "<details class=\"statuses\" open><summary>Status</summary>\n",
    });
    out.raw("<fieldset><legend>Steps and executions with one of these</legend>\n");
    for known in STATUSES {
        out.put(
            "<label class=\"choice\"><input type=\"checkbox\" name=\"status\" value=\"",
            known,
            "\"",
        );
        if query.statuses.contains(&known) {
            out.raw(" checked");
        }
        out.put("> ", known.replace('_', " "), "</label>\n");
    }
    out.raw("</fieldset></details>\n</form>\n");
}
