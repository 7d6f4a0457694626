"""Objects with the keys of cua's files and anything as their values."""

from hypothesis import strategies as st

INNER_KEYS = (
    "item", "action", "type", "x", "y", "result", "output", "call_id", "arguments", "response",
    "content", "summary", "text", "usage", "kwargs", "messages", "role", "path", "keys", "error",
    "name", "button", "start_x", "coordinate",
)  # fmt: skip
OUTER_KEYS = (
    "item", "result", "response", "kwargs", "created_at", "new_items", "status", "trajectory_id",
    "total_usage", "total_turns", "completed_at", "model", "timestamp",
)  # fmt: skip
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["call_0", "function_call", "scroll", "drag", "type", "{'error': 1}"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(INNER_KEYS), inner, max_size=6)
    ),
    max_leaves=25,
)
OBJECTS = st.dictionaries(st.sampled_from(OUTER_KEYS), ANY)
