/* The kernels on many shapes against the equations written plainly, and its operations where
   memory runs out, without TensorFlow: for the sanitizers, which `make test-native` turns on. */

#include <stdlib.h>

/* Memory that runs out: the next `granted` requests succeed, and all after them fail. No request may
   come from a thread of the pool; the thread sanitizer sees one here. */
static long granted = 1L << 30;
static void *scarce(void *got) {
  if (granted-- > 0) return got;
  free(got);
  return NULL;
}
#define malloc(size) scarce(malloc(size))
#define calloc(n, size) scarce(calloc(n, size))
#include "../../lstm_zoo/recurrence/native/operations.c"
#include "../../lstm_zoo/recurrence/native/operations_gru.c"
#include "../../lstm_zoo/recurrence/native/packing.c"
#include "../../lstm_zoo/recurrence/native/passes.c"
#include "../../lstm_zoo/recurrence/native/pool.c"

#include <math.h>
#include <stdio.h>

/* TensorFlow, as far as the operations need it. A context holds the tensors of one call. */
struct TF_Status {
  int code;
};
struct TF_Tensor {
  int rank;
  int64_t dims[3];
  void *data;
};
struct TF_OpKernelContext {
  TF_Tensor in[MOST];
  void *out[MOST];
  int failure;
};
struct TF_OpKernelConstruction {
  int failure;
};

TF_Status *TF_NewStatus(void) { return (calloc)(1, sizeof(TF_Status)); }
void TF_DeleteStatus(TF_Status *s) { free(s); }
void TF_SetStatus(TF_Status *s, int c, const char *m) { (void)m, s->code = c; }
int TF_GetCode(const TF_Status *s) { return s->code; }
int TF_NumDims(const TF_Tensor *t) { return t->rank; }
int64_t TF_Dim(const TF_Tensor *t, int axis) { return t->dims[axis]; }
void *TF_TensorData(const TF_Tensor *t) { return t->data; }
static TF_Tensor *tensor_of(int rank, const int64_t *dims, void *data) {
  TF_Tensor *t = (calloc)(1, sizeof *t);
  memcpy(t->dims, dims, sizeof(int64_t) * rank);
  t->rank = rank, t->data = data;
  return t;
}
void TF_DeleteTensor(TF_Tensor *t) { free(t); } /* whoever asked for the data frees it */
void TF_GetInput(TF_OpKernelContext *c, int k, TF_Tensor **t, TF_Status *s) {
  (void)s, *t = tensor_of(c->in[k].rank, c->in[k].dims, c->in[k].data);
}
TF_Tensor *TF_AllocateOutput(TF_OpKernelContext *c, int k, int type, const int64_t *dims, int rank,
                             size_t bytes, TF_Status *s) {
  void *data = malloc(bytes + 1);
  (void)type;
  if (!data) return TF_SetStatus(s, RESOURCE_EXHAUSTED, ""), NULL;
  return tensor_of(rank, dims, c->out[k] = data);
}
TF_Tensor *TF_ForwardInputOrAllocateOutput(TF_OpKernelContext *c, const int *i, int n, int k,
                                           const int64_t *d, int r, int *taken, TF_Status *s) {
  (void)i, (void)n, *taken = -1;
  return TF_AllocateOutput(c, k, FLOAT, d, r, sizeof(float) * d[0] * d[1] * d[2], s);
}
void TF_OpKernelContext_Failure(TF_OpKernelContext *c, TF_Status *s) { c->failure = s->code; }
void TF_OpKernelConstruction_Failure(TF_OpKernelConstruction *c, TF_Status *s) {
  c->failure = s->code;
}
void TF_OpKernelConstruction_GetAttrBool(TF_OpKernelConstruction *c, const char *n,
                                         unsigned char *v, TF_Status *s) {
  (void)c, (void)n, (void)v, (void)s;
}
TF_KernelBuilder *TF_NewKernelBuilder(const char *n, const char *d,
                                      void *(*a)(TF_OpKernelConstruction *),
                                      void (*b)(void *, TF_OpKernelContext *), void (*c)(void *)) {
  return (void)n, (void)d, (void)a, (void)b, (void)c, NULL;
}
void TF_RegisterKernelBuilder(const char *n, TF_KernelBuilder *b, TF_Status *s) {
  (void)n, (void)b, (void)s;
}
TF_OpDefinitionBuilder *TF_NewOpDefinitionBuilder(const char *n) { return (void)n, NULL; }
void TF_OpDefinitionBuilderAddInput(TF_OpDefinitionBuilder *b, const char *n) { (void)b, (void)n; }
void TF_OpDefinitionBuilderAddOutput(TF_OpDefinitionBuilder *b, const char *n) { (void)b, (void)n; }
void TF_OpDefinitionBuilderAddAttr(TF_OpDefinitionBuilder *b, const char *n) { (void)b, (void)n; }
void TF_OpDefinitionBuilderSetShapeInferenceFunction(
    TF_OpDefinitionBuilder *b, void (*f)(TF_ShapeInferenceContext *, TF_Status *)) {
  (void)b, (void)f;
}
void TF_RegisterOpDefinition(TF_OpDefinitionBuilder *b, TF_Status *s) { (void)b, (void)s; }
void TF_ShapeInferenceContextSetUnknownShape(TF_ShapeInferenceContext *c, TF_Status *s) {
  (void)c, (void)s;
}

static uint32_t drawn = 1; /* the same numbers on every platform */
static uint32_t draw(void) { return (drawn = drawn * 1664525u + 1013904223u) >> 8; }

static float *numbers(int64_t n) { /* of its own size, so that a step over its end is seen */
  float *a = malloc(sizeof(float) * (n ? n : 1));
  for (int64_t k = 0; k < n; k++) a[k] = (float)draw() / 16777216.0f - 0.5f;
  return a;
}

static double sigmoid(double z) { return 1 / (1 + exp(-z)); }

static double worst = 0;

static void compare(const float *got, const double *expected, int64_t n, double scale) {
  for (int64_t k = 0; k < n; k++) {
    double error = fabs(got[k] - expected[k]) / scale;
    if (!(error <= worst)) worst = error;
  }
}

static double relu(double x) { return x < 0 ? 0 : x; }

/* What a case has beside its sizes. */
enum { MASKED = 1, INPUT_DROPOUT = 2, RECURRENT_DROPOUT = 4, SEEN = 8, RELU = 16, KINDS = 32 };

static void try_shape(int64_t B, int64_t T, int64_t D, int64_t H, int kind) {
  const int masked = kind & MASKED;
  float *x_drop = numbers(B * 4 * D), *h_drop = numbers(B * 4 * H), *peepholes = numbers(3 * H);
  float *x = numbers(B * T * D), *W = numbers(D * 4 * H), *U = numbers(H * 4 * H);
  float *b = numbers(4 * H), *h0 = numbers(B * H), *c0 = numbers(B * H);
  float *dy = numbers(B * T * H), *dh = numbers(B * H), *dc = numbers(B * H);
  uint8_t *mask = malloc(B * T + 1);
  for (int64_t k = 0; k < B * T; k++) mask[k] = draw() % 3 > 0;
  struct buffer packed_gates = pack_gates(W, U, b, D, H);
  float *packed = packed_gates.numbers;
  const int64_t v = kernels->width;
  struct forward F = {.steps = T, .features = D, .units = H, .x = x, .h0 = h0, .c0 = c0};
  F.mask = masked ? mask : NULL, F.packed = packed, F.relu = kind & RELU ? 1 : 0;
  F.x_drop = kind & INPUT_DROPOUT ? x_drop : NULL, F.h_drop = kind & RECURRENT_DROPOUT ? h_drop : NULL;
  F.peepholes = kind & SEEN ? peepholes : NULL;
  F.packed_bias = packed + (H + v - 1) / v * (D + H) * 4 * v;
  F.y = numbers(B * T * H), F.h = numbers(B * H), F.c = numbers(B * H);
  forward_pass(&F, B); /* without keeping, then with */
  float *lean_y = F.y;
  F.y = numbers(B * T * H), F.gates = numbers(B * T * 4 * H);
  F.h_before = numbers(B * T * H), F.c_before = numbers(B * T * H);
  forward_pass(&F, B);
  struct backward R = {.steps = T, .features = D, .units = H, .x = x, .h_before = F.h_before};
  R.gates = F.gates, R.c_before = F.c_before;
  R.x_drop = F.x_drop, R.h_drop = F.h_drop, R.peepholes = F.peepholes, R.relu = F.relu;
  R.dy = dy, R.dh = dh, R.dc = dc, R.mask = F.mask;
  R.dz = masked ? F.gates : numbers(B * T * 4 * H); /* dz may stand where the gates stood */
  R.dh0 = numbers(B * H), R.dc0 = numbers(B * H);
  R.dW = numbers(D * 4 * H), R.dU = numbers(H * 4 * H), R.db = numbers(4 * H);
  backward_pass(&R, U, B);
  double *sums = calloc((D + H + 1) * 4 * H, sizeof(double)); /* [dW; dU; db] */

  double *h = calloc((T + 1) * H, sizeof(double)), *c = calloc((T + 1) * H, sizeof(double));
  double *gates = calloc(T * 4 * H + 1, sizeof(double)), *dz = calloc(T * 4 * H + 1, sizeof(double));
  double *eh = calloc(H, sizeof(double)), *ec = calloc(H, sizeof(double));
  for (int64_t r = 0; r < B; r++) {
    for (int64_t u = 0; u < H; u++) h[u] = h0[r * H + u], c[u] = c0[r * H + u];
    for (int64_t t = 0; t < T; t++) {
      double *now = gates + t * 4 * H;
      for (int64_t k = 0; k < 4 * H; k++) {
        const int64_t gate = r * 4 + k / H;
        double z = b[k];
        for (int64_t d = 0; d < D; d++)
          z += x[(r * T + t) * D + d] * (F.x_drop ? x_drop[gate * D + d] : 1) * W[d * 4 * H + k];
        for (int64_t j = 0; j < H; j++)
          z += h[t * H + j] * (F.h_drop ? h_drop[gate * H + j] : 1) * U[j * 4 * H + k];
        now[k] = z;
      }
      const int skip = masked && !mask[r * T + t];
      for (int64_t u = 0; u < H; u++) {
        const double before = c[t * H + u];
        const float *p = F.peepholes ? peepholes + u : NULL;
        now[u] = sigmoid(now[u] + (p ? p[0] * before : 0));
        now[H + u] = sigmoid(now[H + u] + (p ? p[H] * before : 0));
        now[2 * H + u] = F.relu ? relu(now[2 * H + u]) : tanh(now[2 * H + u]);
        double after = now[H + u] * before + now[u] * now[2 * H + u];
        now[3 * H + u] = sigmoid(now[3 * H + u] + (p ? p[2 * H] * after : 0));
        c[(t + 1) * H + u] = skip ? before : after;
        h[(t + 1) * H + u] =
            skip ? h[t * H + u] : now[3 * H + u] * (F.relu ? relu(after) : tanh(after));
      }
    }
    compare(F.y + r * T * H, h + H, T * H, 1), compare(lean_y + r * T * H, h + H, T * H, 1);
    compare(F.h + r * H, h + T * H, H, 1), compare(F.c + r * H, c + T * H, H, 1);
    for (int64_t u = 0; u < H; u++) eh[u] = dh[r * H + u], ec[u] = dc[r * H + u];
    for (int64_t t = T - 1; t >= 0; t--) {
      const double *now = gates + t * 4 * H;
      const int skip = masked && !mask[r * T + t];
      for (int64_t u = 0; u < H; u++) {
        eh[u] += dy[(r * T + t) * H + u];
        double i = now[u], f = now[H + u], g = now[2 * H + u], o = now[3 * H + u];
        double before = c[t * H + u], after = f * before + i * g, tanh_c = tanh(after);
        double shown = F.relu ? relu(after) : tanh_c;
        double slope = F.relu ? after > 0 : 1 - tanh_c * tanh_c, *to = dz + t * 4 * H + u;
        const float *p = F.peepholes ? peepholes + u : NULL;
        double q = ec[u] + eh[u] * o * slope + (p ? p[2 * H] * eh[u] * shown * o * (1 - o) : 0);
        to[0] = skip ? 0 : q * g * i * (1 - i);
        to[H] = skip ? 0 : q * before * f * (1 - f);
        to[2 * H] = skip ? 0 : q * i * (F.relu ? g > 0 : 1 - g * g);
        to[3 * H] = skip ? 0 : eh[u] * shown * o * (1 - o);
        if (!skip) ec[u] = q * f + (p ? p[0] * to[0] + p[H] * to[H] : 0);
      }
      for (int64_t j = 0; j < H && !skip; j++) {
        eh[j] = 0;
        for (int64_t k = 0; k < 4 * H; k++)
          eh[j] += dz[t * 4 * H + k] * U[j * 4 * H + k] *
                   (F.h_drop ? h_drop[(r * 4 + k / H) * H + j] : 1);
      }
    }
    compare(R.dz + r * T * 4 * H, dz, T * 4 * H, 3), compare(R.dh0 + r * H, eh, H, 3);
    compare(R.dc0 + r * H, ec, H, 3);
    for (int64_t t = 0; t < T; t++)
      for (int64_t k = 0; k < D + H + 1; k++)
        for (int64_t j = 0; j < 4 * H; j++) {
          const int64_t gate = r * 4 + j / H;
          double a = 1;
          if (k < D)
            a = x[(r * T + t) * D + k] * (F.x_drop ? x_drop[gate * D + k] : 1);
          else if (k < D + H)
            a = h[t * H + k - D] * (F.h_drop ? h_drop[gate * H + k - D] : 1);
          sums[k * 4 * H + j] += a * dz[t * 4 * H + j];
        }
  }
  const double most = 1 + B * T; /* addends */
  compare(R.dW, sums, D * 4 * H, most), compare(R.dU, sums + D * 4 * H, H * 4 * H, most);
  compare(R.db, sums + (D + H) * 4 * H, 4 * H, most);
  if (R.dz == F.gates) R.dz = NULL;
  float *all[] = {x,     W,      U,      b,         h0,        c0,         dy,         dh,
                  dc,    F.y,    F.h,    F.c,       F.gates,   F.h_before, F.c_before, R.dz,
                  R.dh0, R.dc0,  lean_y, x_drop,    h_drop,    peepholes, R.dW,      R.dU,       R.db};
  if (kind == 0) give_back(packed_gates); /* else the next has its own size */
  else free(packed);
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) free(all[k]);
  free(mask), free(h), free(c), free(gates), free(dz), free(eh), free(ec), free(sums);
}

static int wrong = 0;

/* Runs an operation with memory for no request, then for one, and so on, until it needs no more:
   each time it says that memory is missing. Returns how many requests it needed. */
static int try_scarce(void (*operation)(void *, TF_OpKernelContext *), struct options *options,
                      const TF_Tensor *in, int inputs, TF_OpKernelContext *context) {
  for (int requests = 0;; requests++) {
    for (int k = 0; k < SPARES; k++) free(spares[k].numbers), spares[k] = (struct buffer){0, NULL};
    *context = (TF_OpKernelContext){.failure = 0};
    memcpy(context->in, in, sizeof *in * inputs);
    granted = requests;
    operation(options, context);
    const int enough = granted >= 0;
    granted = 1L << 30;
    if (context->failure != (enough ? 0 : RESOURCE_EXHAUSTED)) wrong++;
    if (enough) return requests;
    for (int k = 0; k < MOST; k++) free(context->out[k]);
  }
}

/* Both operations where memory runs out at each place where they ask for some. */
static void try_operations(int64_t B, int64_t T, int64_t D, int64_t H, int dropout, int keep) {
  struct options options = {.keep = keep, .outputs = 1};
  int64_t sizes[][3] = {{B, T, D}, {D, 4 * H}, {H, 4 * H}, {4 * H}, {B, H}, {B, H},
                        {0, 0}, {B, 4, D * dropout}, {B, 4, H * dropout}, {0, 0}};
  const int ranks[] = {3, 2, 2, 1, 2, 2, 2, 3, 3, 2};
  TF_Tensor in[FORWARD_INPUTS] = {0}, back[BACKWARD_INPUTS] = {0};
  for (int k = 0; k < FORWARD_INPUTS; k++) {
    const int64_t *n = sizes[k];
    in[k].rank = ranks[k], memcpy(in[k].dims, n, sizeof sizes[k]);
    in[k].data = numbers(n[0] * (ranks[k] > 1 ? n[1] : 1) * (ranks[k] > 2 ? n[2] : 1));
  }
  TF_OpKernelContext run, run_back;
  if (try_scarce(forward, &options, in, FORWARD_INPUTS, &run) < 8) wrong++;
  if (keep) {
    const int64_t every[] = {B, T, H}, gates[] = {B, T, 4 * H};
    const int from[] = {X, U, -4, -3, -5, -4, H0, C0, MASK, X_DROP, H_DROP, PEEPHOLES};
    for (int k = 0; k < BACKWARD_INPUTS; k++) {
      if (from[k] >= 0) {
        back[k] = in[from[k]];
        continue;
      }
      back[k].rank = 3, back[k].data = run.out[-from[k]];
      memcpy(back[k].dims, from[k] == -3 ? gates : every, sizeof every);
    }
    if (try_scarce(backward, &options, back, BACKWARD_INPUTS, &run_back) < 8) wrong++;
    for (int k = 0; k < MOST; k++) free(run_back.out[k]);
  }
  for (int k = 0; k < MOST; k++) free(run.out[k]);
  for (int k = 0; k < FORWARD_INPUTS; k++) free(in[k].data);
}

/* An operation whose options find no memory is none. */
static void try_construction(void) {
  TF_OpKernelConstruction construction = {0};
  granted = 0;
  if (create(&construction) || construction.failure != RESOURCE_EXHAUSTED) wrong++;
  granted = 1L << 30;
  delete (NULL);
}

#include "check_gru.h"

int main(void) {
  int count = 0;
  products_worth_a_wait = 2000; /* so that both ways of cutting the forward pass are met */
  for (int64_t B = 0; B <= 15; B += B < 8 ? 1 : 7)
    for (int64_t H = 1; H <= 67; H += H < 20 ? 3 : 23)
      for (int64_t T = 0; T <= 5; T += 1 + T)
        for (int64_t D = 1; D <= 4; D += 3)
          for (int kind = 0; kind < KINDS; kind += 1 + count % 7) try_shape(B, T, D, H, kind), count++;
  for (int kind = 0; kind < KINDS; kind += 5) /* more rows and more steps than are summed at once */
    try_shape(230, 2, 3, 18, kind), try_shape(1, 300, 3, 18, kind), try_shape(4, 70, 3, 18, kind), count += 3;
  count += try_grus();
  try_construction();
  for (int kind = 0; kind < 4; kind++) /* by rows, and by units where there are cores enough */
    try_operations(9, 3, 2, 5, kind & 1, kind / 2), try_operations(1, 3, 2, 67, kind & 1, kind / 2);
  for (int kind = 0; kind < 4; kind++) try_gru_operations(9, 3, 2, 5, kind & 1, kind / 2);
  printf("%d shapes with %s, largest error %.1e\n", count, kernels->name, worst);
  if (wrong) printf("%d operations that lacked memory did not say so\n", wrong);
  return worst < 1e-5 && !wrong ? 0 : 1;
}
