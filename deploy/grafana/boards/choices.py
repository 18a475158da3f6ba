"""What is chosen at the top of a dashboard, as selectors; columns and links that go with it."""

from boards.panels import Column, link, mapping

PLACE = 'account_id=~"$account", region=~"$region"'
IMAGES = f'{PLACE}, image=~"$image"'

WHERE = [Column("account_id", "Account", width=120), Column("region", "Region", width=110)]
# The status page looks for an id, and has the message that a failed step ended with.
ON_THE_PAGE = link("On the status page", "${status_page}/?q=${__value.text}")
EXECUTION = Column("step_execution_id", "Step execution", width=330, links=(ON_THE_PAGE,))
YES = mapping({1: ("yes", "green"), 0: ("no", "red")})
DONE_OVER = mapping({1: ("yes", "green")})


def detail(title, *titles):
    """A link to the executions of what stands in a table's row, by its columns of these titles."""
    chosen = "".join(
        f"&var-{name.lower()}=${{__data.fields.{name}}}" for name in ["Account", "Region", *titles]
    )
    board = "/d/imagebuilder-workflow-step?${datasource:queryparam}&${__url_time_range}"
    return link(title, board + chosen)


IMAGE_NAME = Column("image", "Image", links=(detail("Executions of its steps", "Image"),))
STEP_NAME = Column(
    "step", "Step", links=(detail("Executions of this step", "Image", "Workflow", "Step"),)
)
