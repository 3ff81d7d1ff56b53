/* The two operations of TensorFlow for the LSTM, LstmZooForward and LstmZooBackward, and the
   registration of all operations when the library is loaded. */

#include "operations.h"

enum { X, W, U, BIAS, H0, C0, MASK, X_DROP, H_DROP, PEEPHOLES, FORWARD_INPUTS };

static void forward(void *kernel, TF_OpKernelContext *context) {
  const struct options *options = kernel;
  struct call call = begin(context, FORWARD_INPUTS);
  TF_Tensor **in = call.in;
  check(&call, X, 3, -1, -1, -1, "x must be (batch, steps, features)");
  check(&call, U, 2, -1, -1, 0, "recurrent_kernel must be (units, 4 * units)");
  if (failed(&call)) {
    end(&call);
    return;
  }
  const int64_t B = TF_Dim(in[X], 0), T = TF_Dim(in[X], 1), D = TF_Dim(in[X], 2);
  const int64_t H = TF_Dim(in[U], 0);
  check(&call, U, 2, H, 4 * H, 0, "recurrent_kernel must be (units, 4 * units)");
  check(&call, W, 2, D, 4 * H, 0, "kernel must be (features, 4 * units)");
  check(&call, BIAS, 1, 4 * H, 0, 0, "bias must be (4 * units,)");
  check(&call, H0, 2, B, H, 0, "h must be (batch, units)");
  check(&call, C0, 2, B, H, 0, "c must be (batch, units)");
  struct forward F = {.steps = T, .features = D, .units = H, .relu = options->relu};
  F.mask = optional(&call, MASK, 2, B, T, 0, "mask must be (batch, steps) or (0, 0)");
  F.x_drop = optional(&call, X_DROP, 3, B, 4, D, "x_drop must be (batch, 4, features) or empty");
  F.h_drop = optional(&call, H_DROP, 3, B, 4, H, "h_drop must be (batch, 4, units) or empty");
  F.peepholes = optional(&call, PEEPHOLES, 2, 3, H, 0, "peepholes must be (3, units) or (0, 0)");
  const int64_t kept = options->keep ? T : 0;
  F.y = output(&call, 3, B, options->outputs ? T : 0, H);
  F.h = output(&call, 2, B, H, 0);
  F.c = output(&call, 2, B, H, 0);
  F.gates = output(&call, 3, B, kept, 4 * H);
  F.h_before = output(&call, 3, B, kept, H);
  F.c_before = output(&call, 3, B, kept, H);
  if (!failed(&call)) {
    if (!options->outputs) F.y = NULL;
    if (!options->keep) F.gates = NULL;
    F.x = TF_TensorData(in[X]), F.h0 = TF_TensorData(in[H0]), F.c0 = TF_TensorData(in[C0]);
    struct buffer buffer =
        pack_gates(TF_TensorData(in[W]), TF_TensorData(in[U]), TF_TensorData(in[BIAS]), D, H);
    int enough = buffer.numbers != NULL;
    if (enough) {
      const int64_t v = kernels->width, panels = (H + v - 1) / v;
      F.packed = buffer.numbers, F.packed_bias = buffer.numbers + panels * (D + H) * 4 * v;
      enough = forward_pass(&F, B);
    }
    give_back(buffer);
    if (!enough) TF_SetStatus(call.status, RESOURCE_EXHAUSTED, "no memory for an LSTM's forward pass");
  }
  end(&call);
}

enum {
  B_X, B_U, H_BEFORE, GATES, C_BEFORE, DY, DH, DC, B_MASK, B_X_DROP, B_H_DROP, B_PEEPHOLES,
  BACKWARD_INPUTS
};

static void backward(void *kernel, TF_OpKernelContext *context) {
  const struct options *options = kernel;
  struct call call = begin(context, BACKWARD_INPUTS);
  TF_Tensor **in = call.in;
  check(&call, B_U, 2, -1, -1, 0, "recurrent_kernel must be (units, 4 * units)");
  check(&call, B_X, 3, -1, -1, -1, "x must be (batch, steps, features)");
  if (failed(&call)) {
    end(&call);
    return;
  }
  const int64_t B = TF_Dim(in[B_X], 0), T = TF_Dim(in[B_X], 1), D = TF_Dim(in[B_X], 2);
  const int64_t H = TF_Dim(in[B_U], 0);
  check(&call, B_U, 2, H, 4 * H, 0, "recurrent_kernel must be (units, 4 * units)");
  check(&call, GATES, 3, B, T, 4 * H, "gates must be (batch, steps, 4 * units)");
  check(&call, H_BEFORE, 3, B, T, H, "h_before must be (batch, steps, units)");
  check(&call, C_BEFORE, 3, B, T, H, "c_before must be (batch, steps, units)");
  check(&call, DY, 3, B, -1, H, "dy must be (batch, steps or 0, units)");
  const int64_t given = failed(&call) ? 0 : TF_Dim(in[DY], 1);
  if (given) check(&call, DY, 3, B, T, H, "dy must be (batch, steps or 0, units)");
  check(&call, DH, 2, B, H, 0, "dh must be (batch, units)");
  check(&call, DC, 2, B, H, 0, "dc must be (batch, units)");
  struct backward R = {.steps = T, .features = D, .units = H, .relu = options->relu};
  R.mask = optional(&call, B_MASK, 2, B, T, 0, "mask must be (batch, steps) or (0, 0)");
  R.x_drop = optional(&call, B_X_DROP, 3, B, 4, D, "x_drop must be (batch, 4, features) or empty");
  R.h_drop = optional(&call, B_H_DROP, 3, B, 4, H, "h_drop must be (batch, 4, units) or empty");
  R.peepholes = optional(&call, B_PEEPHOLES, 2, 3, H, 0, "peepholes must be (3, units) or (0, 0)");
  R.dz = output_over(&call, GATES, B, T, 4 * H); /* a step's dz replaces its gates */
  R.dh0 = output(&call, 2, B, H, 0);
  R.dc0 = output(&call, 2, B, H, 0);
  R.dW = output(&call, 2, D, 4 * H, 0);
  R.dU = output(&call, 2, H, 4 * H, 0);
  R.db = output(&call, 1, 4 * H, 1, 0);
  if (!failed(&call)) {
    R.x = TF_TensorData(in[B_X]), R.h_before = TF_TensorData(in[H_BEFORE]);
    R.gates = in[GATES] ? TF_TensorData(in[GATES]) : R.dz, R.c_before = TF_TensorData(in[C_BEFORE]);
    R.dy = given ? TF_TensorData(in[DY]) : NULL;
    R.dh = TF_TensorData(in[DH]), R.dc = TF_TensorData(in[DC]);
    if (!backward_pass(&R, TF_TensorData(in[B_U]), B))
      TF_SetStatus(call.status, RESOURCE_EXHAUSTED, "no memory for an LSTM's backward pass");
  }
  end(&call);
}

__attribute__((constructor)) static void load(void) {
  choose_kernels();
  define_gru();
  define("LstmZooForward",
         (const char *[]){"x: float", "kernel: float", "recurrent_kernel: float", "bias: float",
                          "h: float", "c: float", "mask: bool", "x_drop: float", "h_drop: float",
                          "peepholes: float", 0},
         (const char *[]){"y: float", "last_h: float", "last_c: float", "gates: float",
                          "h_before: float", "c_before: float", 0},
         (const char *[]){"keep: bool", "outputs: bool", "relu: bool", 0},
         TF_NewKernelBuilder("LstmZooForward", "CPU", create, forward, delete));
  define("LstmZooBackward",
         (const char *[]){"x: float", "recurrent_kernel: float", "h_before: float", "gates: float",
                          "c_before: float", "dy: float", "dh: float", "dc: float", "mask: bool",
                          "x_drop: float", "h_drop: float", "peepholes: float", 0},
         (const char *[]){"dz: float", "dh_first: float", "dc_first: float", "dkernel: float",
                          "drecurrent_kernel: float", "dbias: float", 0},
         (const char *[]){"relu: bool", 0},
         TF_NewKernelBuilder("LstmZooBackward", "CPU", create, backward, delete));
}

/* Changes with the inputs and outputs of the operations; native/__init__.py has the same number. */
const int lstm_zoo_interface = 4;

/* The kernels in use: "avx512", "avx2" or "plain". */
const char *lstm_zoo_simd(void) { return kernels->name; }
