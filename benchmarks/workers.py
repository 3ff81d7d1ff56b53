"""Training steps per second with one process and with two, on one machine, one core each.

python benchmarks/workers.py [--rounds 3]

Both train the same model with the same batches of 64, in turn. The script reports the fastest epoch
of all rounds. It also reports the processor time of a step in this epoch, which depends less on
other work on the machine.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

EPOCHS, STEPS, BATCH = 6, 20, 64
MODELS = {"small": (40, 1, 32), "large": (100, 32, 256)}  # timesteps, features, units


def work(name, index, addresses):
    """Train as one process, and print the seconds of an epoch's step and its processor time."""
    os.sched_setaffinity(0, {index})
    import keras
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    from lstm_zoo.training import distribute

    alone = tf.distribute.get_strategy()
    strategy = distribute.workers(addresses, index) if addresses else alone
    import lstm_zoo as lz

    timesteps, features, units = MODELS[name]
    x = np.random.default_rng(0).normal(size=(STEPS * BATCH, timesteps, features))
    with strategy.scope():
        model = lz.build_regressor((timesteps, features), lstm_units=(units,), dense_units=())
    found = []
    clocks = (time.perf_counter, time.process_time)

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = [now() for now in clocks]

        def on_epoch_end(self, epoch, logs=None):
            found.append([(now() - t) / STEPS for now, t in zip(clocks, self.start, strict=True)])

    lz.fit(
        *(model, x, x[:, 0, :1]),
        batch_size=BATCH,
        epochs=EPOCHS,
        callbacks=Clock(),
        strategy=strategy,
        verbose=0,
    )
    print(json.dumps([model.count_params(), min(found[1:])]))  # the first epoch has the tracing


def measured(name, processes):
    """Parameters of the model, and the times of a step of the slowest process."""
    addresses = ",".join(f"127.0.0.1:{port}" for port in free_ports(processes))
    commands = [
        [sys.executable, __file__, name, str(index), addresses if processes > 1 else ""]
        for index in range(processes)
    ]
    running = [subprocess.Popen(one, stdout=subprocess.PIPE, text=True) for one in commands]
    answers = [json.loads(one.communicate()[0].splitlines()[-1]) for one in running]
    return answers[0][0], max(times for _, times in answers)


def free_ports(number):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def main(rounds):
    best = {}
    for _ in range(rounds):
        for name in MODELS:
            for processes in (1, 2):
                parameters, times = measured(name, processes)
                key = name, parameters, processes
                best[key] = min(best.get(key, times), times)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores; {load:.1f} processes were waiting or running at the end")
    for (name, parameters, processes), (wall, cpu) in best.items():
        print(
            f"{name}, {parameters} parameters, {processes} at work: {1 / wall:.1f} steps a second, "
            f"{1e3 * wall:.2f} ms a step, {1e3 * cpu:.2f} ms of processor time of each"
        )


if __name__ == "__main__":
    if len(sys.argv) > 3:
        work(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    else:
        parser = argparse.ArgumentParser()
        parser.add_argument("--rounds", type=int, default=3)
        main(parser.parse_args().rounds)
