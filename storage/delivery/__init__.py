"""From a spool into the stores: each record once, whatever is away or dies on the way."""

from storage.delivery.delivery import Delivery
from storage.delivery.result import DeliveryResult

__all__ = ["Delivery", "DeliveryResult"]
