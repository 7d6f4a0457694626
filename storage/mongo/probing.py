"""Asking MongoDB clusters how they are."""

from concurrent.futures import ThreadPoolExecutor

import pymongo

from storage.mongo.clients import address
from storage.mongo.clusters import Clusters

#: Less than a health check may take, so that it can say which cluster is silent.
_SECONDS = 1.4


def probe(clusters: Clusters, urls: list[str] | None = None) -> str:
    """What these clusters (or all) say of themselves.

    Raises:
        StorageError: when one of them is away or refuses us.
    """
    urls = urls or sorted(set(clusters.patterns().values()))
    with ThreadPoolExecutor(max(len(urls), 1), thread_name_prefix="mongo-health") as pool:
        return "; ".join(pool.map(lambda url: _version(clusters, url), urls))


def _version(clusters: Clusters, url: str) -> str:
    with clusters.client(url) as client, pymongo.timeout(_SECONDS):
        return f"MongoDB {client.server_info()['version']} at {address(url)}"
