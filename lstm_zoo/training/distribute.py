"""Training on several replicas: devices of one machine, or processes that may be on many.

Every worker goes through the same batches in the same order and takes its own rows of each, so that
no sample is lost or doubled. Where a batch does not divide evenly, or has fewer samples than there
are replicas, each replica's loss counts by the samples that it has.
"""

import json
import os
import re
import typing
from collections.abc import Sequence

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.backend import needs_tensorflow, tf


@needs_tensorflow
def workers(addresses: Sequence[str] | str | None = None, index: int | None = None):
    """The strategy of one process of several that train a model together.

    Call it before anything else makes TensorFlow compute; build the model under its scope and give
    it to `fit`. Each process runs the same program with the same addresses and its own index.

    Args:
        addresses: `host:port` of every process, as a list or with commas between; None reads
            the environment variable `TF_CONFIG`, as a cluster sets it.
        index: which of them this process is, from 0 on.

    Returns:
        `tf.distribute.MultiWorkerMirroredStrategy`.

    Raises:
        ValueError: if an address is not `host:port` or is there twice, if there is none, or if
            `index` is not the place of one of them.

    Example:
        >>> from lstm_zoo.training import distribute
        >>> distribute.workers("localhost", 0)
        Traceback (most recent call last):
        ValueError: addresses must be host:port, such as 10.0.0.1:12345, got 'localhost'
    """
    if addresses is not None:
        config = cluster(addresses, index)
        os.environ["TF_CONFIG"] = json.dumps(config)
    elif "TF_CONFIG" not in os.environ:
        raise ValueError("addresses must be given, or the environment variable TF_CONFIG be set")
    return tf.distribute.MultiWorkerMirroredStrategy()


def cluster(addresses: Sequence[str] | str, index: int | None) -> dict:
    """What the environment variable `TF_CONFIG` of one process of several holds.

    Args:
        addresses: `host:port` of every process.
        index: which of them this process is, from 0 on.

    Returns:
        The dict of which `TF_CONFIG` is the JSON.

    Raises:
        ValueError: as `workers` does.

    Example:
        >>> from lstm_zoo.training import distribute
        >>> distribute.cluster("a:1,b:1", 1)["task"]
        {'type': 'worker', 'index': 1}
    """
    several = addresses.split(",") if isinstance(addresses, str) else addresses
    listed = checks.listing("addresses", several)
    for address in listed:
        port = re.fullmatch(r"\S+:(\d{1,5})", address) if isinstance(address, str) else None
        if not port or not 0 < int(port[1]) < 2**16:
            raise ValueError(
                f"addresses must be host:port, such as 10.0.0.1:12345, got {address!r}"
            )
    if not listed or len(set(listed)) < len(listed):
        raise ValueError(f"addresses must be of different processes, got {checks.listed(listed)}")
    index = checks.count("index", index, least=0, below=len(listed))
    return {"cluster": {"worker": listed}, "task": {"type": "worker", "index": index}}


def is_chief(strategy) -> bool:
    """Whether this process is the one that writes files; without a cluster it is."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.task_type or resolver.task_id in (0, None)


class Share(typing.NamedTuple):
    """The part of a replica in a batch: how many of its rows are samples, and their weight."""

    rows: typing.Any
    weight: typing.Any


class Split:
    """Deals out the rows of batches to the replicas."""

    def __init__(self, strategy):
        self.strategy = strategy
        self.rows = 0  # of a replica in the largest batch so far; one size is traced once

    def __call__(self, batch):
        """The batch and each replica's `Share` in it."""
        replicas = self.strategy.num_replicas_in_sync
        batch = _on_leaves(np.asarray, batch)
        samples = len(keras.tree.flatten(batch)[0])
        self.rows = max(self.rows, -(-samples // replicas))
        each = -(-samples // replicas)

        def rows(context):
            first = context.replica_id_in_sync_group * each
            return np.clip(np.arange(first, first + self.rows), 0, samples - 1)

        def share(context):
            first = context.replica_id_in_sync_group * each
            real = min(each, max(0, samples - first))
            return Share(
                tf.constant(real, "int32"), tf.constant(real * replicas / samples, "float32")
            )

        def part(context):
            return _on_leaves(lambda a: tf.constant(a[rows(context)]), batch)

        of_each = self.strategy.experimental_distribute_values_from_function
        return of_each(part), of_each(share)


def at_least_one(data, share):
    """A replica's samples, or one row that is to count nothing."""
    return _on_leaves(lambda a: a[: tf.maximum(share.rows, 1)], data)


def sum_of_all(tensors):
    """The sums over the replicas, in each of them."""
    return tf.distribute.get_replica_context().all_reduce("sum", tensors)


def total(strategy, value):
    """The sum over the replicas."""
    return strategy.reduce("sum", value, axis=None)


def _on_leaves(function, tree):
    return keras.tree.map_structure(lambda leaf: leaf if leaf is None else function(leaf), tree)
