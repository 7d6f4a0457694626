"""Items are cut into batches of about a second, so that little is done twice after a kill."""

from uuid import uuid4

import pytest

from storage.migration.models import ItemKey
from tasks.migration import MOST_BYTES, MOST_FILES, MOST_ITEMS, cut


def sizes(*items):
    return [len(batch) for batch in cut((ItemKey(b"", uuid4()), *item) for item in items)]


@pytest.mark.parametrize(
    ("item", "most"),
    [
        ((1, 1), MOST_ITEMS),
        ((MOST_FILES // 10, 1), 10),
        ((1, MOST_BYTES // 4), 4),
        ((MOST_FILES * 5, MOST_BYTES * 5), 1),
    ],
)
def test_no_batch_holds_too_many_items_files_or_bytes(item, most):
    assert sizes(*[item] * (2 * most + 1)) == [most, most, 1] if most > 1 else [1, 1, 1]


def test_every_item_is_in_one_batch_in_order():
    found = [(ItemKey(b"%d" % n, uuid4()), n * 40, 1) for n in range(30)]
    assert [id_ for batch in cut(found) for id_ in batch] == [key.id for key, _, _ in found]
