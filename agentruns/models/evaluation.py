"""Verdicts on tasks."""

from uuid import UUID

from pydantic import Field

from agentruns.models.clock import utcnow
from agentruns.models.ids import new_id
from agentruns.models.values import AgentId, JsonObject, Name, Record, Score, Text, UtcTime


class Evaluation(Record):
    """One scorer's verdict on one task, on the evidence of one moment."""

    id: UUID = Field(default_factory=new_id)
    task_id: UUID
    agent_id: AgentId
    pass_id: UUID | None = None
    """The run of the evaluator that made it; None when somebody else did."""
    scorer: Name
    scorer_version: Name
    score: Score | None
    """0 (bad) to 1 (good); None where the scorer does not apply to the task."""
    report: Text = ""
    """Why, in words."""
    metrics: JsonObject = Field(default_factory=dict)
    evidence_digest: Name = "none"
    """Names the evidence: equal evidence, equal digest, no second verdict."""
    created_at: UtcTime = Field(default_factory=utcnow)
