"""x"""

from mission.demo.progress import Step
from mission.demo.story import Story


async def tell(story: Story, step: Step) -> None:
    """Publishes the offer."""
