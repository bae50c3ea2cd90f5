"""Typed client of Equipoise: inference with numpy arrays, and the admin API, each also with asyncio."""

from .admin import AdminClient, AsyncAdminClient
from .errors import EquipoiseError, RefusedError, UnreachableError
from .retries import Retries
from .serving import AsyncClient, Client, InferResult, RunResult
from .tensors import Inputs, Outputs

__all__ = [
    "AdminClient",
    "AsyncAdminClient",
    "AsyncClient",
    "Client",
    "EquipoiseError",
    "InferResult",
    "Inputs",
    "Outputs",
    "RefusedError",
    "Retries",
    "RunResult",
    "UnreachableError",
]
