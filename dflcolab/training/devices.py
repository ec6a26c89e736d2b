"""Several GPUs, and several hosts: what of a step is shared, and what its parts tell each other.

Every device holds the whole model and works on its part of each batch. The gradients are added up
across devices, and then each one makes the same step, so all copies stay equal to the last bit. To
this end variables are per-device ones (`ON_READ`), not `tf.distribute`'s mirrored ones: those take
no plain assignment inside of a step, which would force its own order on the optimizers.

Random numbers are drawn for the whole batch (`dflcolab.backend.per_face`), the order of the faces is
one for all: what a face looks like does not depend on the number of devices.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.errors import ConfigError, ModelError

_REASONS = (
    "target_iter", "interrupted", "stop_file", "button", "deadline", "overfit", "plateau",
)  # fmt: skip
_SIGNS_OF_LOSS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


class Devices:
    """The devices of a run; by default one.

    Args:
        strategy: Of `tf.distribute`; None: one device.
        hosts: Addresses of all workers; the first is the chief. Empty: there is only this process.
        worker: Which of them this is.
        across: `mean` of the devices' gradients, as DeepFaceLab; or `sum`, as one device would.

    Attributes:
        count: Devices of all workers together.
        workers: Processes.
        is_chief: True for the one that writes checkpoints, previews and reports.
        across: As given.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy | None = None,
        *,
        hosts: Sequence[str] = (),
        worker: int = 0,
        across: Literal["mean", "sum"] = "mean",
    ) -> None:
        self._strategy = strategy
        self._hosts = tuple(hosts)
        self._worker = worker
        self.across: Literal["mean", "sum"] = across
        self.count = int(strategy.num_replicas_in_sync) if strategy else 1
        self.workers = max(1, len(hosts))
        self.is_chief = worker == 0
        self._here = self.count // self.workers
        self._add: Callable[[Tensor], Tensor] | None = None

    def batch_size(self, wanted: int) -> int:
        """The nearest size that all devices share evenly, as DeepFaceLab takes it."""
        return max(1, wanted // self.count) * self.count

    @contextlib.contextmanager
    def variables(self) -> Iterator[None]:
        """Variables that are made inside get a copy on each device."""
        if self._strategy is None:
            yield
            return

        def per_device(make: Callable[..., Any], **settings: Any) -> Any:
            settings["synchronization"] = tf.VariableSynchronization.ON_READ
            settings["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
            return make(**settings)

        with self._strategy.scope(), tf.variable_creator_scope(per_device):
            yield

    def of_this_worker(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What this process has to load of a whole batch."""
        size = len(batch) // self.workers
        return batch[self._worker * size : (self._worker + 1) * size]

    def everywhere(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """The function compiled, to run on all devices at once; what the first one gives.

        Args:
            function: Of tensors that all devices get whole (see `of_this_device`).
        """
        strategy = self._strategy
        if strategy is None:
            return tf.function(function, autograph=False)

        def run(*arguments: Any) -> Tensor:
            return strategy.experimental_local_results(strategy.run(function, arguments))[0]

        return tf.function(run, autograph=False)

    def of_this_device(self, batch: Tensor) -> Tensor:
        """Inside of `everywhere`: the part of this process's batch that is this device's."""
        if self._here == 1:
            return batch
        size = batch.shape[0] // self._here
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        start = (replica - self._worker * self._here) * size
        return tf.slice(batch, [start, *[0] * (len(batch.shape) - 1)], [size, *batch.shape[1:]])

    def gradients(self, own: Mapping[str, Tensor], *, of_mean: bool = False) -> dict[str, Tensor]:
        """Inside of `everywhere`: the gradients of all devices as one, float32 if there are several.

        Args:
            own: Name to gradient on this device.
            of_mean: They belong to the mean of a device's batch, not to its sum.
        """
        if self.count == 1:
            return dict(own)
        added = _added([tf.cast(gradient, tf.float32) for gradient in own.values()])
        if self.across == "mean" or of_mean:
            added = [gradient / self.count for gradient in added]
        return dict(zip(own, added, strict=True))

    def mean(self, value: Tensor) -> Tensor:
        """Inside of `everywhere`: the mean over all devices."""
        return value if self.count == 1 else _added([value])[0] / self.count

    def agree(self, wish: str) -> str:
        """Why the run ends, if any worker wants it to; all must ask at the same iteration.

        Args:
            wish: `stopped_because` of this process.
        """
        if self.workers == 1:
            return wish
        names = (*_REASONS, "another")
        mine = wish if wish in names else "another"
        votes = self._sum_of_workers([float(bool(wish) and name == mine) for name in names])
        return next((name for name, vote in zip(names, votes, strict=True) if vote > 0), "")

    def meet(self) -> None:
        """Wait until all workers are here."""
        if self.workers > 1:
            self._sum_of_workers([0.0])

    def refuse_differences(self, facts: Mapping[str, object]) -> None:
        """Make sure that all workers train the same.

        Args:
            facts: What is to be the same, by a word that users understand.

        Raises:
            ModelError: Names what differs.
        """
        if self.workers == 1:
            return
        own = np.zeros((self.workers, len(facts), 16), np.float32)
        for place, fact in enumerate(facts.values()):
            text = json.dumps(fact, sort_keys=True, default=str)
            own[self._worker, place] = list(hashlib.sha256(text.encode()).digest()[:16])
        every = self._sum_of_workers(own)
        differs = (every != every[:1]).any(axis=(0, 2))
        if differs.any():
            names = [name for name, bad in zip(facts, differs, strict=True) if bad]
            raise ModelError(
                f"The workers differ in their {' and '.join(names)}; start all of them with the "
                "same options, faces and checkpoints."
            )

    @contextlib.contextmanager
    def watching_workers(self, last_good: Callable[[], str]) -> Iterator[None]:
        """Turn the errors that come when another worker has gone into one sentence.

        Args:
            last_good: Name of the checkpoint from which training can go on.

        Raises:
            ModelError: Another worker has gone.
        """
        try:
            yield
        except _SIGNS_OF_LOSS as error:
            if self.workers == 1:
                raise
            raise ModelError(
                "Another worker has gone and training cannot go on without it; the last checkpoint "
                f"is {last_good()}: start all workers again, or the first one without --hosts."
            ) from error

    def _sum_of_workers(self, values: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The sum over all processes of small numbers; all must call it in the same order."""
        if self._add is None:
            self._add = self.everywhere(lambda own: _added([tf.identity(own)])[0])
        # Every device of a process brings the same, so their number comes out again.
        return self._add(tf.constant(np.asarray(values, np.float32))).numpy() / self._here


def _added(values: list[Tensor]) -> list[Tensor]:
    context = tf.distribute.get_replica_context()
    return list(context.all_reduce(tf.distribute.ReduceOp.SUM, values))


def open_devices(
    wanted: int | Literal["auto"],
    *,
    hosts: Sequence[str] = (),
    worker: int = 0,
    across: Literal["mean", "sum"] = "mean",
) -> Devices:
    """The devices that a run uses; waits for the other workers.

    Must come before anything else is computed when there are several hosts.

    Args:
        wanted: Devices of this host; `auto` = all GPUs, or the CPU.
        hosts: `host:port` of every worker, the chief first; empty = only this process.
        worker: Which of them this is, from 0.
        across: How gradients are joined.

    Raises:
        ConfigError: There are fewer devices, or the address of this worker cannot be used.
    """
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if len(hosts) > 1:
        _use_only(kind, wanted)
        return Devices(_cluster(hosts, worker), hosts=hosts, worker=worker, across=across)
    # The processor counts once, however many cores it has; tests divide it.
    found = tf.config.list_logical_devices(kind)
    count = (len(found) if kind == "GPU" else 1) if wanted == "auto" else wanted
    _refuse_more(kind, count, len(found))
    if count == 1:
        return Devices(across=across)
    names = [device.name for device in found[:count]]
    return Devices(tf.distribute.MirroredStrategy(names), across=across)


def _use_only(kind: str, wanted: int | Literal["auto"]) -> None:
    """Hide the devices beyond the wanted ones: several hosts always use all that they see."""
    if wanted == "auto":
        return
    found = tf.config.list_physical_devices(kind)
    _refuse_more(kind, wanted, len(found))
    if kind == "GPU":
        tf.config.set_visible_devices(found[:wanted], kind)


def _refuse_more(kind: str, wanted: int, found: int) -> None:
    if wanted > found:
        what = "one CPU" if kind == "CPU" else f"{found} GPU{'s' * (found > 1)}"
        raise ConfigError(
            f"devices = {wanted}, but this machine has {what}; give a smaller number, or auto."
        )


def _cluster(hosts: Sequence[str], worker: int) -> tf.distribute.Strategy:
    """Join the other workers."""
    known = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(hosts)}),
        task_type="worker",
        task_id=worker,
        rpc_layer="grpc",
    )
    try:
        with _signals_end_at_once():
            return tf.distribute.MultiWorkerMirroredStrategy(known)
    except (tf.errors.OpError, RuntimeError) as error:
        raise ConfigError(
            f"Worker {worker} cannot join the others from {hosts[worker]}; see that the address is "
            "this host's, that the port is free, and that all workers have been started."
        ) from error


@contextlib.contextmanager
def _signals_end_at_once() -> Iterator[None]:
    """For waits outside of Python, where a wish to stop would not be seen; nothing is lost there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(each, signal.SIG_DFL) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)
