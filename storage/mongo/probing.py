"""Asking MongoDB clusters how they are."""

from concurrent.futures import ThreadPoolExecutor

import pymongo
from pymongo import MongoClient

from storage.mongo.clients import address
from storage.mongo.clusters import PREFIX, Clusters
from storage.mongo.documents import LOGS, Document

#: Less than a health check may take, so that it can say which cluster is silent.
_SECONDS = 1.4


def probe(clusters: Clusters, agent_id: str | None = None) -> str:
    """What all clusters, or this agent's, say of themselves.

    Raises:
        StorageError: when one of them is away or refuses us.
    """
    if agent_id is not None:
        return _agents_own(clusters, agent_id)
    urls = sorted(set(clusters.patterns().values()))
    with ThreadPoolExecutor(max(len(urls), 1), thread_name_prefix="mongo-health") as pool:
        return "; ".join(pool.map(lambda url: _version(clusters, url), urls))


def _agents_own(clusters: Clusters, agent_id: str) -> str:
    url = clusters.url(agent_id)
    with pymongo.timeout(_SECONDS), clusters.client(url) as client:
        # The version is told to anybody; this only to a key that has not been taken back.
        client[PREFIX + agent_id][LOGS].find_one({}, {"_id": 1})
        return _said(client, url)


def _version(clusters: Clusters, url: str) -> str:
    with pymongo.timeout(_SECONDS), clusters.client(url) as client:
        # The same for the operator and the evaluator: both may list databases.
        client.admin.command("listDatabases", nameOnly=True)
        return _said(client, url)


def _said(client: MongoClient[Document], url: str) -> str:
    return f"MongoDB {client.server_info()['version']} at {address(url)}"
