/* The two operations of TensorFlow for the GRU and the SimpleRNN, LstmZooGruForward and
   LstmZooGruBackward. */

#include "operations.h"

enum { G_X, G_W, G_U, G_BIAS, G_H0, G_MASK, G_X_DROP, G_H_DROP, G_INPUTS };

static int blocks_of(const struct options *options) {
  return !options->gated ? SIMPLE_RNN : options->reset_after ? GRU_AFTER : GRU_BEFORE;
}

static void gru_forward(void *kernel, TF_OpKernelContext *context) {
  const struct options *options = kernel;
  struct call call = begin(context, G_INPUTS);
  TF_Tensor **in = call.in;
  check(&call, G_X, 3, -1, -1, -1, "x must be (batch, steps, features)");
  check(&call, G_U, 2, -1, -1, 0, "recurrent_kernel must be (units, gates * units)");
  if (failed(&call)) {
    end(&call);
    return;
  }
  const int blocks = blocks_of(options), gates = blocks == SIMPLE_RNN ? 1 : 3;
  const int64_t B = TF_Dim(in[G_X], 0), T = TF_Dim(in[G_X], 1), D = TF_Dim(in[G_X], 2);
  const int64_t H = TF_Dim(in[G_U], 0);
  check(&call, G_U, 2, H, gates * H, 0, "recurrent_kernel must be (units, gates * units)");
  check(&call, G_W, 2, D, gates * H, 0, "kernel must be (features, gates * units)");
  check(&call, G_BIAS, 1, blocks * H, 0, 0, "bias must be (blocks * units,)");
  check(&call, G_H0, 2, B, H, 0, "h must be (batch, units)");
  struct gru_forward F = {.steps = T, .features = D, .units = H, .blocks = blocks};
  F.relu = options->relu;
  F.mask = optional(&call, G_MASK, 2, B, T, 0, "mask must be (batch, steps) or (0, 0)");
  F.x_drop = optional(&call, G_X_DROP, 3, B, gates, D, "x_drop must be (batch, gates, features) or empty");
  F.h_drop = optional(&call, G_H_DROP, 3, B, gates, H, "h_drop must be (batch, gates, units) or empty");
  const int64_t kept = options->keep ? T : 0;
  F.y = output(&call, 3, B, options->outputs ? T : 0, H);
  F.h = output(&call, 2, B, H, 0);
  F.gates = output(&call, 3, B, kept, blocks * H);
  F.h_before = output(&call, 3, B, kept, H);
  F.reset = output(&call, 3, B, blocks == GRU_BEFORE ? kept : 0, H);
  if (!failed(&call)) {
    if (!options->outputs) F.y = NULL;
    if (!options->keep) F.gates = NULL;
    F.x = TF_TensorData(in[G_X]), F.h0 = TF_TensorData(in[G_H0]), F.bias = TF_TensorData(in[G_BIAS]);
    if (!gru_forward_pass(&F, TF_TensorData(in[G_W]), TF_TensorData(in[G_U]), B))
      TF_SetStatus(call.status, RESOURCE_EXHAUSTED, "no memory for a GRU's forward pass");
  }
  end(&call);
}

enum {
  GB_X, GB_U, GB_H_BEFORE, GB_GATES, GB_RESET, GB_DY, GB_DH, GB_MASK, GB_X_DROP, GB_H_DROP, GB_INPUTS
};

static void gru_backward(void *kernel, TF_OpKernelContext *context) {
  const struct options *options = kernel;
  struct call call = begin(context, GB_INPUTS);
  TF_Tensor **in = call.in;
  check(&call, GB_U, 2, -1, -1, 0, "recurrent_kernel must be (units, gates * units)");
  check(&call, GB_X, 3, -1, -1, -1, "x must be (batch, steps, features)");
  if (failed(&call)) {
    end(&call);
    return;
  }
  const int blocks = blocks_of(options), gates = blocks == SIMPLE_RNN ? 1 : 3;
  const int64_t B = TF_Dim(in[GB_X], 0), T = TF_Dim(in[GB_X], 1), D = TF_Dim(in[GB_X], 2);
  const int64_t H = TF_Dim(in[GB_U], 0);
  check(&call, GB_U, 2, H, gates * H, 0, "recurrent_kernel must be (units, gates * units)");
  check(&call, GB_GATES, 3, B, T, blocks * H, "gates must be (batch, steps, blocks * units)");
  check(&call, GB_H_BEFORE, 3, B, T, H, "h_before must be (batch, steps, units)");
  check(&call, GB_RESET, 3, B, blocks == GRU_BEFORE ? T : 0, H, "reset must be (batch, steps, units)");
  check(&call, GB_DY, 3, B, -1, H, "dy must be (batch, steps or 0, units)");
  const int64_t given = failed(&call) ? 0 : TF_Dim(in[GB_DY], 1);
  if (given) check(&call, GB_DY, 3, B, T, H, "dy must be (batch, steps or 0, units)");
  check(&call, GB_DH, 2, B, H, 0, "dh must be (batch, units)");
  struct gru_backward R = {.steps = T, .features = D, .units = H, .blocks = blocks};
  R.relu = options->relu;
  R.mask = optional(&call, GB_MASK, 2, B, T, 0, "mask must be (batch, steps) or (0, 0)");
  R.x_drop =
      optional(&call, GB_X_DROP, 3, B, gates, D, "x_drop must be (batch, gates, features) or empty");
  R.h_drop = optional(&call, GB_H_DROP, 3, B, gates, H, "h_drop must be (batch, gates, units) or empty");
  R.dz = output_over(&call, GB_GATES, B, T, blocks * H); /* a step's dz replaces its gates */
  R.dh0 = output(&call, 2, B, H, 0);
  R.dW = output(&call, 2, D, gates * H, 0);
  R.dU = output(&call, 2, H, gates * H, 0);
  R.db = output(&call, 1, blocks * H, 1, 0);
  if (!failed(&call)) {
    R.x = TF_TensorData(in[GB_X]), R.h_before = TF_TensorData(in[GB_H_BEFORE]);
    R.gates = in[GB_GATES] ? TF_TensorData(in[GB_GATES]) : R.dz, R.reset = TF_TensorData(in[GB_RESET]);
    R.dy = given ? TF_TensorData(in[GB_DY]) : NULL, R.dh = TF_TensorData(in[GB_DH]);
    if (!gru_backward_pass(&R, TF_TensorData(in[GB_U]), B))
      TF_SetStatus(call.status, RESOURCE_EXHAUSTED, "no memory for a GRU's backward pass");
  }
  end(&call);
}

void define_gru(void) {
  define("LstmZooGruForward",
         (const char *[]){"x: float", "kernel: float", "recurrent_kernel: float", "bias: float",
                          "h: float", "mask: bool", "x_drop: float", "h_drop: float", 0},
         (const char *[]){"y: float", "last_h: float", "gates: float", "h_before: float",
                          "reset: float", 0},
         (const char *[]){"keep: bool", "outputs: bool", "relu: bool", "gated: bool",
                          "reset_after: bool", 0},
         TF_NewKernelBuilder("LstmZooGruForward", "CPU", create, gru_forward, delete));
  define("LstmZooGruBackward",
         (const char *[]){"x: float", "recurrent_kernel: float", "h_before: float", "gates: float",
                          "reset: float", "dy: float", "dh: float", "mask: bool", "x_drop: float",
                          "h_drop: float", 0},
         (const char *[]){"dz: float", "dh_first: float", "dkernel: float",
                          "drecurrent_kernel: float", "dbias: float", 0},
         (const char *[]){"relu: bool", "gated: bool", "reset_after: bool", 0},
         TF_NewKernelBuilder("LstmZooGruBackward", "CPU", create, gru_backward, delete));
}
