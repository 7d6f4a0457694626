"""Logs and memories of the agents, one MongoDB database an agent."""

from storage.mongo.adapter import MongoAdapter
from storage.mongo.pages import ClusterPage

__all__ = ["ClusterPage", "MongoAdapter"]
