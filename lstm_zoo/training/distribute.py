"""Training on several replicas: devices of one machine, or processes on one or more machines."""

import json
import os
import re
from collections.abc import Sequence

from lstm_zoo import checks
from lstm_zoo.backend import needs_tensorflow, tf


@needs_tensorflow
def workers(addresses: Sequence[str] | str | None = None, index: int | None = None):
    """Make the strategy for training one model with several processes.

    Call this before TensorFlow computes anything. Build the model under the strategy's scope and
    give the strategy to `fit`. Each process runs the same program with the same addresses and its
    own index.

    Args:
        addresses: `host:port` of every process, as a list or separated by commas; None reads the
            environment variable `TF_CONFIG`, which clusters set.
        index: the index of this process in `addresses`, starting at 0.

    Returns:
        `tf.distribute.MultiWorkerMirroredStrategy`.

    Raises:
        ValueError: if an address is not `host:port` or occurs twice, if there is no address, or if
            `index` is not a valid index into `addresses`.

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
        raise ValueError(
            "addresses must be a list of host:port if the environment variable TF_CONFIG is not "
            "set, got None"
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def cluster(addresses: Sequence[str] | str, index: int | None) -> dict:
    """The value of the environment variable `TF_CONFIG` for one of several processes.

    Args:
        addresses: `host:port` of every process.
        index: the index of this process in `addresses`, starting at 0.

    Returns:
        A dict; `TF_CONFIG` holds it as JSON.

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
        raise ValueError(
            f"addresses must be a list of different addresses, got {checks.listed(listed)}"
        )
    index = checks.count("index", index, least=0, below=len(listed))
    return {"cluster": {"worker": listed}, "task": {"type": "worker", "index": index}}


def is_chief(strategy) -> bool:
    """Whether this process writes the files; a single process always does."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.task_type or resolver.task_id in (0, None)


def strategy_of(model, strategy):
    """The strategy that a model was built under; `strategy` must be None or the same."""
    built_under = model.distribute_strategy
    if strategy is None or strategy is built_under:
        return built_under
    if max(s.num_replicas_in_sync for s in (strategy, built_under)) > 1:
        raise ValueError(
            "strategy must be the one that the model was built under: build or load the model "
            f"inside `with strategy.scope():`, got another {type(strategy).__name__}"
        )
    return strategy
