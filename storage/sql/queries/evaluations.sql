-- name: evaluations_page
-- Verdicts, newest first.
SELECT id, task_id, agent_id, pass_id, scorer, scorer_version, score, report, metrics,
    evidence_digest, created_at
FROM evaluations
WHERE (:task_id::uuid IS NULL OR task_id = :task_id)
    AND (:agent_id::text IS NULL OR agent_id = :agent_id)
    AND (:scorer::text IS NULL OR scorer = :scorer)
    AND (:scorer_version::text IS NULL OR scorer_version = :scorer_version)
    AND (:after_at::timestamptz IS NULL OR (created_at, id) < (:after_at, :after_id::uuid))
ORDER BY created_at DESC, id DESC
LIMIT :rows;

-- name: insert_evaluation*!
-- One verdict, unless the scorer gave one on equal evidence before.
INSERT INTO evaluations (
    id, task_id, agent_id, pass_id, scorer, scorer_version, score, report, metrics,
    evidence_digest, created_at
)
VALUES (
    :id, :task_id, :agent_id, :pass_id, :scorer, :scorer_version, :score, :report, :metrics,
    :evidence_digest, :created_at
)
ON CONFLICT DO NOTHING;

-- name: merge_evaluations!
-- The verdicts that were copied into the temporary table, unless there is one on equal evidence.
INSERT INTO evaluations (
    id, task_id, agent_id, pass_id, scorer, scorer_version, score, report, metrics,
    evidence_digest, created_at
)
SELECT id, task_id, agent_id, pass_id, scorer, scorer_version, score, report, metrics,
    evidence_digest, created_at
FROM incoming_evaluations
ON CONFLICT DO NOTHING;

-- name: latest_scores
-- What a scorer said last about each of these tasks; tasks that it did not judge are left out.
SELECT wanted.task_id, latest.score
FROM unnest(:task_ids::uuid[]) AS wanted (task_id)
CROSS JOIN LATERAL (
    SELECT known.score
    FROM evaluations AS known
    WHERE known.task_id = wanted.task_id AND known.scorer = :scorer::text
    -- A verdict on equal evidence is not repeated: the old one then covers a newer moment.
    ORDER BY greatest(known.created_at, known.evidence_at) DESC
    LIMIT 1
) AS latest;
