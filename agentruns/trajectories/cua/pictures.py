"""The pictures of a cua run by the names that the agent gives them."""

from agentruns.models import Upload
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.run import Run

PICTURE_KINDS = {
    "screenshot_after": "after",
    "screenshot": "after",
    "screenshot_before": "before",
    "screenshot_action": "annotated",
    "annotated_image": "annotated",
    "annotated_form_ui": "annotated",
}


def named_picture(run: Run, artifact: Artifact, content: bytes, *, alone: bool = False) -> Upload:
    """The upload of a picture; `alone` makes primary what shows its step's result in no other."""
    kind = PICTURE_KINDS.get(artifact.name, "other")
    about = {"step": run.step_of(artifact), "name": artifact.name, "kind": kind}
    return run.upload(artifact.path, content, {**about, "primary": kind == "after" or alone})
