"""The states of a recurrent layer: learned initial states, and states kept between batches."""

import itertools

import keras
from keras import ops


class LearnsInitialState(keras.layers.RNN):
    """A layer that can learn its initial states, and stays stateful on every backend."""

    learned_initial_state = False

    def _set_initial_state(self, learned):
        if learned and self.stateful:
            raise ValueError("learned_initial_state must be False for a stateful layer")
        self.learned_initial_state = bool(learned)

    def build(self, sequences_shape, initial_state_shape=None):
        super().build(sequences_shape, initial_state_shape)
        self.built_for = sequences_shape[1]
        if self.stateful and keras.backend.backend() != "tensorflow":
            self._replace_states()
        features = {-1: sequences_shape[-1]}
        self.input_spec = keras.layers.InputSpec(ndim=len(sequences_shape), axes=features)
        if self.learned_initial_state:
            self.initial_states = [
                self.add_weight((1, size), "zeros", name=f"initial_state_{k}")
                for k, size in enumerate(keras.tree.flatten(self.cell.state_size))
            ]

    def _replace_states(self):
        """Replace Keras's state variables by variables that keep assigned values.

        On PyTorch, a half-precision layer would assign to a temporary copy of Keras's variables. On
        JAX, each variable needs its own name.
        """
        numbers = itertools.count()
        self.states[:] = keras.tree.map_structure(  # the list itself Keras must not track
            lambda state: keras.Variable(
                "zeros",
                state.shape,
                state.dtype,
                trainable=False,
                autocast=False,
                name=f"rnn_state_{next(numbers)}",
            ),
            self.states,
        )

    @property
    def variables(self):
        """All variables of the layer, as in Keras; on JAX also the states of a stateful layer.

        Keras's trainer for JAX carries only the listed variables from batch to batch.
        """
        states = keras.tree.flatten(getattr(self, "states", None) or [])
        return super().variables + (states if keras.backend.backend() == "jax" else [])

    def reset_state(self):
        """Set the states of a stateful layer to zeros.

        Raises:
            ValueError: on JAX between two batches of `fit` or `evaluate`, when Keras's trainer
                holds the states.
        """
        try:
            super().reset_state()
        except TypeError as problem:
            raise ValueError(
                f"reset_state of {self.name} must not be called between two batches on JAX: "
                "the trainer holds the states; call model.jax_state_sync() first"
            ) from problem

    def get_initial_state(self, batch_size):
        if not self.learned_initial_state:
            return super().get_initial_state(batch_size)
        states = [
            ops.broadcast_to(ops.cast(start, self.compute_dtype), (batch_size, start.shape[1]))
            for start in self.initial_states
        ]
        nested = keras.tree.is_nested(self.cell.state_size)  # a list of lists for stacked cells
        return keras.tree.pack_sequence_as(self.cell.state_size, states) if nested else states

    def get_config(self):
        own = {"learned_initial_state": True} if self.learned_initial_state else {}
        return {**super().get_config(), **own}
