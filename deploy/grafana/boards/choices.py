"""Selectors for the variables of a dashboard, and the columns and links that use them."""

from boards.panels import Column, link, mapping

PLACE = 'account_id=~"$account", region=~"$region"'
IMAGES = f'{PLACE}, image=~"$image"'

WHERE = [Column("account_id", "Account", width=120), Column("region", "Region", width=110)]
# The status page filters by id, and has the message of a failed step.
ON_THE_PAGE = link("Status page", "${status_page}/?q=${__value.text}")
EXECUTION = Column("step_execution_id", "Step execution", width=330, links=(ON_THE_PAGE,))
YES = mapping({1: ("yes", "green"), 0: ("no", "red")})
DONE_OVER = mapping({1: ("yes", "green")})
SLOW = mapping({1: ("yes", "orange"), 0: ("no", "text")})


def detail(title, *titles):
    """Links to the executions of a table's row, filtered by its columns with these titles."""
    chosen = "".join(
        f"&var-{name.lower()}=${{__data.fields.{name}}}" for name in ["Account", "Region", *titles]
    )
    board = "/d/imagebuilder-workflow-step?${datasource:queryparam}&${__url_time_range}"
    return link(title, board + chosen)


IMAGE_NAME = Column("image", "Image", links=(detail("Executions of its steps", "Image"),))
STEP_NAME = Column(
    "step", "Step", links=(detail("Executions of this step", "Image", "Workflow", "Step"),)
)
