/* The LSTM over whole sequences as two operations of TensorFlow, in plain C: the plain one, the one
   with peepholes, and either with relu in place of tanh.

   LstmZooForward and LstmZooBackward take and give arrays with the batch first. The work on some
   rows of the batch is in kernel.inc, compiled for each kind of processor; here are the threads that
   share the rows, and the way in and out through TensorFlow's C API, whose few functions are
   declared by hand, so that no TensorFlow is needed to build this. */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct forward {
  int64_t steps, features, units;
  const float *x, *h0, *c0;           /* (batch, steps, features), (batch, units) twice */
  const uint8_t *mask;                /* (batch, steps), or NULL */
  const float *x_drop, *h_drop;       /* factors, (batch, 4, features), (batch, 4, units), or NULL */
  const float *peepholes;             /* (3, units), to i, f and o, or NULL */
  int relu;                           /* in place of tanh */
  const float *packed, *packed_bias;  /* see kernel.inc */
  float *y;                           /* (batch, steps, units), or NULL */
  float *h, *c;                       /* after the last step, (batch, units) */
  float *gates, *h_before, *c_before; /* of every step, (batch, steps, 4 * units or units), or NULL */
  float *scratch;                     /* each part's room: see room_of */
  int64_t part, room;                 /* rows in a part, numbers in `scratch` for it */
};

struct backward {
  int64_t steps, features, units;
  const float *x, *h_before, *gates, *c_before;
  const float *dy, *dh, *dc; /* dy is NULL where no output was wanted */
  const uint8_t *mask;
  const float *x_drop, *h_drop, *peepholes;
  int relu;
  const float *packed;
  float *dz, *dh0, *dc0; /* (batch, steps, 4 * units), (batch, units) twice */
  float *dW, *dU, *db;   /* (features, 4 * units), (units, 4 * units), (4 * units,) */
  float *sums;           /* [dW; dU; db] of the rows of each part, and room for its work */
  int64_t part, room;    /* rows in a part, numbers in `sums` for it */
};

/* The sums over rows and steps for [dW; dU; db]: how many are made at once, how many lines of the
   result, the lines that its room has, and their length. */
enum { TOGETHER = 256, LINES = 6 };
#define LINES_OF(D, H) (((D) + (H) + LINES) / LINES * LINES)
#define LINE(H) (4 * (H) + 4 * 16)

typedef void work(void *job, int64_t lo, int64_t hi);

/* The room of the part that begins at row `lo`. Where nothing is kept, it holds the hidden states of a
   step and the next; with dropout, the four versions of each row's [x, h] follow. The caller asks for
   the rooms of all parts before any part runs, because no part could report a failure. */
static float *room_of(const struct forward *F, int64_t lo) {
  return F->scratch + lo / F->part * F->room;
}

/* The first states where the steps read them. Returns the hidden states of a step and the next, or
   NULL where `gates` are kept. */
static float *first_states(const struct forward *F, int64_t lo, int64_t hi) {
  const int64_t T = F->steps, H = F->units;
  if (!F->gates) {
    float *two = room_of(F, lo);
    memcpy(two, F->h0 + lo * H, sizeof(float) * (hi - lo) * H);
    memcpy(F->c + lo * H, F->c0 + lo * H, sizeof(float) * (hi - lo) * H);
    return two;
  }
  for (int64_t r = lo; r < hi; r++) {
    memcpy(T ? F->h_before + r * T * H : F->h + r * H, F->h0 + r * H, sizeof(float) * H);
    memcpy(T ? F->c_before + r * T * H : F->c + r * H, F->c0 + r * H, sizeof(float) * H);
  }
  return NULL;
}

static void last_states(const struct forward *F, const float *two, int64_t lo, int64_t hi) {
  const int64_t size = (hi - lo) * F->units;
  if (two) memcpy(F->h + lo * F->units, two + F->steps % 2 * size, sizeof(float) * size);
}

/* A forward pass whose steps are cut by units: who is free takes the next part of a step, and waits
   until all of the step before is ready. No thread has to come, so none is waited for in vain. */
struct by_units {
  const struct forward *of;
  float *two;
  int64_t rows, parts;         /* of each step */
  _Atomic int64_t next, ready; /* parts, of all steps */
};

static int take(struct by_units *S, int64_t *step, int64_t *part) {
  const int64_t k = atomic_fetch_add(&S->next, 1);
  *step = k / S->parts, *part = k % S->parts;
  if (*step >= S->of->steps) return 0;
  for (int tries = 1; atomic_load(&S->ready) < *step * S->parts; tries++)
    if (tries % 1000 == 0) sched_yield(); /* whoever has the other part may need this core */
  return 1;
}

#define JOIN(a, b) a##b
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#define V 16
#define MIN(a, b) (vec) _mm512_min_ps((__m512)(a), (__m512)(b))
#define MAX(a, b) (vec) _mm512_max_ps((__m512)(a), (__m512)(b))
#define ROWS 6
#define WIDE 4
#define NAME(f) JOIN(f, _avx512)
#include "kernel.inc"
#undef V
#undef MIN
#undef MAX
#undef ROWS
#undef WIDE
#undef NAME
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define V 8
#define MIN(a, b) (vec) _mm256_min_ps((__m256)(a), (__m256)(b))
#define MAX(a, b) (vec) _mm256_max_ps((__m256)(a), (__m256)(b))
#define ROWS 3
#define WIDE 2
#define NAME(f) JOIN(f, _avx2)
#include "kernel.inc"
#undef V
#undef MIN
#undef MAX
#undef ROWS
#undef WIDE
#undef NAME
#pragma GCC pop_options
#define HAS_AVX 1
#endif
#define V 4
#define MIN(a, b) NAME(select)(a < b, a, b)
#define MAX(a, b) NAME(select)(a > b, a, b)
#if defined(__aarch64__)
#define ROWS 6
#define WIDE 4
#else
#define ROWS 2
#define WIDE 2
#endif
#define NAME(f) JOIN(f, _plain)
#include "kernel.inc"
#undef V
#undef MIN
#undef MAX
#undef ROWS
#undef WIDE
#undef NAME

static struct {
  const char *name;
  int width;
  work *forward, *by_units, *backward;
} chosen = {"plain", 4, forward_rows_plain, forward_units_plain, backward_rows_plain};

static void choose(void) {
#ifdef HAS_AVX
  const char *at_most = getenv("LSTM_ZOO_SIMD"); /* "plain" or "avx2", for tests */
  __builtin_cpu_init();
  if (at_most && !strcmp(at_most, "plain")) return;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    chosen.name = "avx2", chosen.width = 8;
    chosen.forward = forward_rows_avx2, chosen.by_units = forward_units_avx2;
    chosen.backward = backward_rows_avx2;
  }
  if (at_most && !strcmp(at_most, "avx2")) return;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
    chosen.name = "avx512", chosen.width = 16;
    chosen.forward = forward_rows_avx512, chosen.by_units = forward_units_avx512;
    chosen.backward = backward_rows_avx512;
  }
#endif
}

/* Threads. One pool for all calls: a call hands its parts to whoever is free and works on them
   itself, so two layers that run side by side share the cores and neither waits for the other. */

struct task {
  work *run;
  void *job;
  int64_t rows, part, next; /* rows in all, in a part, not yet taken from */
  int unfinished;           /* parts */
  struct task *after;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static struct task *first;
static int cores = 1;

/* Takes a part of a task and runs it; called with the lock held, and returns with it held. */
static void run_part(struct task *task) {
  int64_t lo = task->next, hi = lo + task->part < task->rows ? lo + task->part : task->rows;
  task->next = hi;
  if (hi == task->rows) { /* nothing is left to take */
    struct task **at = &first;
    while (*at != task) at = &(*at)->after;
    *at = task->after;
  }
  pthread_mutex_unlock(&lock);
  task->run(task->job, lo, hi);
  pthread_mutex_lock(&lock);
  if (--task->unfinished == 0) pthread_cond_broadcast(&done);
}

static void *help(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  for (;;) {
    while (!first) pthread_cond_wait(&more, &lock);
    run_part(first);
  }
  return NULL;
}

static void start_pool(void) {
#ifdef _WIN32
  cores = pthread_num_processors_np();
#else
  cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
#endif
  if (cores > 64) cores = 64;
  for (int k = 1; k < cores; k++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, help, NULL)) break; /* the caller does the work itself */
    pthread_detach(thread);
  }
}

/* The cores that the pool, started at the first call, keeps busy. */
static int64_t cores_here(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_pool);
  return cores;
}

/* The rows of a part; all but the last have as many. */
static int64_t part_of(int64_t rows) {
  const int64_t cores = cores_here();
  return rows <= cores ? 1 : (rows + cores - 1) / cores;
}

static void in_parts(work *run, void *job, int64_t rows) {
  struct task task = {run, job, rows, part_of(rows), 0, 0, NULL};
  if (task.part >= rows) {
    if (rows) run(job, 0, rows);
    return;
  }
  task.unfinished = (int)((rows + task.part - 1) / task.part);
  pthread_mutex_lock(&lock);
  struct task **at = &first;
  while (*at) at = &(*at)->after;
  *at = &task;
  pthread_cond_broadcast(&more);
  while (task.next < task.rows) run_part(&task);
  while (task.unfinished) pthread_cond_wait(&done, &lock);
  pthread_mutex_unlock(&lock);
}

/* Room for packed kernels. A few are kept for the next call: fresh memory costs as much as packing. */

enum { SPARES = 4, SPARE_NUMBERS = 1 << 20 };
static struct room {
  size_t size;
  float *numbers;
} spares[SPARES];
static pthread_mutex_t spares_lock = PTHREAD_MUTEX_INITIALIZER;

/* Zeros if `padded`, else whatever was there; without numbers if there is no memory. */
static struct room borrow(size_t size, int padded) {
  struct room room = {0, NULL};
  pthread_mutex_lock(&spares_lock);
  for (int k = 0; k < SPARES && !room.numbers; k++)
    if (spares[k].size >= size) room = spares[k], spares[k] = (struct room){0, NULL};
  pthread_mutex_unlock(&spares_lock);
  if (!room.numbers) room = (struct room){size, malloc(sizeof(float) * size)};
  if (room.numbers && padded) memset(room.numbers, 0, sizeof(float) * size);
  return room;
}

static void give_back(struct room room) {
  if (!room.numbers) return;
  pthread_mutex_lock(&spares_lock);
  for (int k = 0; k < SPARES && room.size <= SPARE_NUMBERS; k++)
    if (spares[k].size < room.size) { /* the smaller one goes */
      struct room smaller = spares[k];
      spares[k] = room, room = smaller;
    }
  pthread_mutex_unlock(&spares_lock);
  free(room.numbers);
}

/* Packing, described in kernel.inc. */

struct packing {
  const float *W, *U, *b;
  int64_t D, H;
  float *packed, *bias;
};

/* Panels lo..hi, some lines of all of them at a time: they are read and written as they lie. */
static void pack_panels(void *job, int64_t lo, int64_t hi) {
  enum { TALL = 16 };
  const struct packing *P = job;
  const int64_t v = chosen.width, D = P->D, H = P->H, K = D + H;
  for (int64_t top = 0; top < K; top += TALL)
    for (int64_t p = lo; p < hi; p++)
      for (int64_t k = top; k < top + TALL && k < K; k++) {
        const float *line = (k < D ? P->W + k * 4 * H : P->U + (k - D) * 4 * H) + p * v;
        float *to = P->packed + (p * K + k) * 4 * v;
        const size_t size = sizeof(float) * (H - p * v < v ? H - p * v : v);
        for (int g = 0; g < 4; g++) memcpy(to + g * v, line + g * H, size);
      }
  for (int64_t p = lo; p < hi; p++)
    for (int g = 0; g < 4; g++)
      memcpy(P->bias + (p * 4 + g) * v, P->b + g * H + p * v,
             sizeof(float) * (H - p * v < v ? H - p * v : v));
}

static struct room pack_gates(const float *W, const float *U, const float *b, int64_t D, int64_t H) {
  const int64_t v = chosen.width, K = D + H, panels = (H + v - 1) / v;
  struct room room = borrow((size_t)panels * (K + 1) * 4 * v, H % v != 0);
  if (!room.numbers) return room;
  struct packing packing = {W, U, b, D, H, room.numbers, room.numbers + panels * K * 4 * v};
  if (K * H < 1 << 16) /* less work than to wake a thread */
    pack_panels(&packing, 0, panels);
  else
    in_parts(pack_panels, &packing, panels);
  return room;
}

/* In squares of 16 x 16, so that both what is read and what is written lies in few lines. */
static struct room pack_transposed(const float *U, int64_t H) {
  enum { SIDE = 16 }; /* the width of a panel is a multiple of it */
  const int64_t wide = 4 * chosen.width, panels = (H + wide - 1) / wide;
  struct room room = borrow((size_t)panels * 4 * H * wide, H % wide != 0);
  float *packed = room.numbers;
  for (int64_t j = 0; packed && j < H; j += SIDE)
    for (int64_t k = 0; k < 4 * H; k += SIDE) {
      float *to = packed + (j / wide * 4 * H + k) * wide + j % wide;
      const int64_t rows = H - j < SIDE ? H - j : SIDE;
      const int64_t columns = 4 * H - k < SIDE ? 4 * H - k : SIDE;
      for (int64_t n = 0; n < columns; n++)
        for (int64_t m = 0; m < rows; m++) to[n * wide + m] = U[(j + m) * 4 * H + k + n];
    }
  return room;
}

static int64_t many = 1 << 17; /* products of a step, with which to wait for each other costs little */

/* The whole forward pass; 0 if there is no memory for it. It is cut by units where rows would leave
   half of the cores idle and a step has many products. */
static int forward_of(struct forward *F, int64_t rows) {
  const int64_t D = F->features, H = F->units, panels = (H + chosen.width - 1) / chosen.width;
  const int64_t cores = cores_here();
  const int drops = F->x_drop || F->h_drop;
  const int cut_by_units = rows * 2 <= cores && rows * (D + H) * 4 * H >= many && !drops;
  F->part = cut_by_units ? rows : part_of(rows);
  F->room = F->part * ((F->gates ? 0 : 2 * H) + (drops ? 4 * (D + H) : 0));
  F->room += 16; /* no cache line belongs to two parts */
  F->scratch = malloc(sizeof(float) * ((rows + F->part - 1) / F->part) * F->room);
  if (!F->scratch && rows) return 0;
  if (cut_by_units) {
    struct by_units units = {F, first_states(F, 0, rows), rows, cores < panels ? cores : panels, 0, 0};
    in_parts(chosen.by_units, &units, units.parts);
    last_states(F, units.two, 0, rows);
  } else {
    in_parts(chosen.forward, F, rows);
  }
  free(F->scratch);
  return 1;
}

/* Line by line [dW; dU; db], each the sum of what the parts have, always in the same order. */
struct addends {
  const struct backward *of;
  int64_t parts;
};

static void add_up(void *job, int64_t lo, int64_t hi) {
  const struct addends *A = job;
  const struct backward *B = A->of;
  const int64_t D = B->features, H = B->units;
  for (int64_t k = lo; k < hi; k++) {
    float *to = k < D ? B->dW + k * 4 * H : k < D + H ? B->dU + (k - D) * 4 * H : B->db;
    memset(to, 0, sizeof(float) * 4 * H);
    for (int64_t part = 0; part < A->parts; part++) {
      const float *sums = B->sums + part * B->room + k * LINE(H);
      for (int64_t j = 0; j < 4 * H; j++) to[j] += sums[j];
    }
  }
}

/* The whole backward pass; 0 if there is no memory for it. */
static int backward_of(struct backward *B, const float *U, int64_t rows) {
  const int64_t D = B->features, H = B->units, K = LINES_OF(D, H);
  B->part = part_of(rows), B->room = K * LINE(H) + (K + 4 * 16) * TOGETHER + K;
  struct addends addends = {B, (rows + B->part - 1) / B->part};
  struct room packed = pack_transposed(U, H), sums = borrow(addends.parts * B->room, 0);
  const int enough = packed.numbers && (sums.numbers || !rows);
  if (enough) {
    B->packed = packed.numbers, B->sums = sums.numbers;
    in_parts(chosen.backward, B, rows);
    in_parts(add_up, &addends, D + H + 1);
  }
  give_back(packed), give_back(sums);
  return enough;
}

/* TensorFlow's C API, as far as it is used: tensorflow/c/kernels.h, ops.h, tf_tensor.h. */

typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_KernelBuilder TF_KernelBuilder;
typedef struct TF_OpKernelContext TF_OpKernelContext;
typedef struct TF_OpKernelConstruction TF_OpKernelConstruction;
typedef struct TF_OpDefinitionBuilder TF_OpDefinitionBuilder;
typedef struct TF_ShapeInferenceContext TF_ShapeInferenceContext;
enum { FLOAT = 1, INVALID_ARGUMENT = 3, RESOURCE_EXHAUSTED = 8 };
extern TF_Status *TF_NewStatus(void);
extern void TF_DeleteStatus(TF_Status *);
extern void TF_SetStatus(TF_Status *, int code, const char *message);
extern int TF_GetCode(const TF_Status *);
extern int TF_NumDims(const TF_Tensor *);
extern int64_t TF_Dim(const TF_Tensor *, int axis);
extern void *TF_TensorData(const TF_Tensor *);
extern void TF_DeleteTensor(TF_Tensor *);
extern void TF_GetInput(TF_OpKernelContext *, int, TF_Tensor **, TF_Status *);
extern TF_Tensor *TF_AllocateOutput(TF_OpKernelContext *, int, int, const int64_t *, int, size_t,
                                    TF_Status *);
extern TF_Tensor *TF_ForwardInputOrAllocateOutput(TF_OpKernelContext *, const int *, int, int,
                                                  const int64_t *, int, int *, TF_Status *);
extern void TF_OpKernelContext_Failure(TF_OpKernelContext *, TF_Status *);
extern void TF_OpKernelConstruction_Failure(TF_OpKernelConstruction *, TF_Status *);
extern void TF_OpKernelConstruction_GetAttrBool(TF_OpKernelConstruction *, const char *,
                                                unsigned char *, TF_Status *);
extern TF_KernelBuilder *TF_NewKernelBuilder(const char *, const char *,
                                             void *(*)(TF_OpKernelConstruction *),
                                             void (*)(void *, TF_OpKernelContext *),
                                             void (*)(void *));
extern void TF_RegisterKernelBuilder(const char *, TF_KernelBuilder *, TF_Status *);
extern TF_OpDefinitionBuilder *TF_NewOpDefinitionBuilder(const char *);
extern void TF_OpDefinitionBuilderAddInput(TF_OpDefinitionBuilder *, const char *);
extern void TF_OpDefinitionBuilderAddOutput(TF_OpDefinitionBuilder *, const char *);
extern void TF_OpDefinitionBuilderAddAttr(TF_OpDefinitionBuilder *, const char *);
extern void TF_OpDefinitionBuilderSetShapeInferenceFunction(
    TF_OpDefinitionBuilder *, void (*)(TF_ShapeInferenceContext *, TF_Status *));
extern void TF_RegisterOpDefinition(TF_OpDefinitionBuilder *, TF_Status *);
extern void TF_ShapeInferenceContextSetUnknownShape(TF_ShapeInferenceContext *, TF_Status *);

enum { MOST = 12 };

/* A call of an operation: its inputs and outputs, and what went wrong. */
struct call {
  TF_OpKernelContext *context;
  TF_Status *status;
  TF_Tensor *in[MOST], *out[MOST];
  int inputs, outputs;
};

static struct call begin(TF_OpKernelContext *context, int inputs) {
  struct call call = {context, TF_NewStatus(), {0}, {0}, inputs, 0};
  for (int k = 0; k < inputs && TF_GetCode(call.status) == 0; k++)
    TF_GetInput(context, k, &call.in[k], call.status);
  return call;
}

static int failed(const struct call *call) { return TF_GetCode(call->status) != 0; }

/* Whether input k has this shape; -1 stands for any size. */
static void check(struct call *call, int k, int rank, int64_t a, int64_t b, int64_t c,
                  const char *message) {
  if (failed(call)) return;
  const int64_t wanted[] = {a, b, c};
  int fits = TF_NumDims(call->in[k]) == rank;
  for (int axis = 0; fits && axis < rank; axis++)
    fits = wanted[axis] < 0 || TF_Dim(call->in[k], axis) == wanted[axis];
  if (!fits) TF_SetStatus(call->status, INVALID_ARGUMENT, message);
}

/* The numbers of input k, which has this shape or none in it; then NULL. */
static const void *optional(struct call *call, int k, int rank, int64_t a, int64_t b, int64_t c,
                            const char *message) {
  if (failed(call)) return NULL;
  if (TF_NumDims(call->in[k]) == rank && TF_Dim(call->in[k], rank - 1) == 0) return NULL;
  check(call, k, rank, a, b, c, message);
  return failed(call) ? NULL : TF_TensorData(call->in[k]);
}

static float *output(struct call *call, int rank, int64_t a, int64_t b, int64_t c) {
  if (failed(call)) return NULL;
  const int64_t dims[] = {a, b, c};
  size_t bytes = sizeof(float) * a * b * (rank == 3 ? c : 1);
  TF_Tensor *out =
      TF_AllocateOutput(call->context, call->outputs, FLOAT, dims, rank, bytes, call->status);
  call->out[call->outputs++] = out;
  return failed(call) ? NULL : TF_TensorData(out);
}

/* The first output in the place of input k, of the same shape, if nothing else needs that input any
   more; else beside it. The input stays readable until it is written over. */
static float *output_over(struct call *call, int k, int64_t a, int64_t b, int64_t c) {
  if (failed(call)) return NULL;
  const int64_t dims[] = {a, b, c};
  int taken = -1;
  TF_DeleteTensor(call->in[k]); /* or this call itself would be who needs it */
  call->in[k] = NULL;
  TF_Tensor *out = TF_ForwardInputOrAllocateOutput(call->context, &k, 1, call->outputs, dims, 3,
                                                   &taken, call->status);
  call->out[call->outputs++] = out;
  if (taken != k && !failed(call)) TF_GetInput(call->context, k, &call->in[k], call->status);
  return failed(call) ? NULL : TF_TensorData(out);
}

static void end(struct call *call) {
  if (failed(call)) TF_OpKernelContext_Failure(call->context, call->status);
  for (int k = 0; k < call->inputs; k++)
    if (call->in[k]) TF_DeleteTensor(call->in[k]);
  for (int k = 0; k < call->outputs; k++)
    if (call->out[k]) TF_DeleteTensor(call->out[k]);
  TF_DeleteStatus(call->status);
}

struct options {
  unsigned char keep, outputs, relu;
};

static void option(TF_OpKernelConstruction *construction, const char *name, unsigned char *value) {
  TF_Status *status = TF_NewStatus(); /* an operation that has no such option leaves it at 0 */
  TF_OpKernelConstruction_GetAttrBool(construction, name, value, status);
  TF_DeleteStatus(status);
}

static void *create(TF_OpKernelConstruction *construction) {
  struct options *options = calloc(1, sizeof *options);
  if (!options) {
    TF_Status *status = TF_NewStatus();
    TF_SetStatus(status, RESOURCE_EXHAUSTED, "no memory for the options of an LSTM");
    TF_OpKernelConstruction_Failure(construction, status);
    TF_DeleteStatus(status);
    return NULL;
  }
  option(construction, "keep", &options->keep);
  option(construction, "outputs", &options->outputs);
  option(construction, "relu", &options->relu);
  return options;
}

static void delete(void *options) { free(options); }

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
    struct room room =
        pack_gates(TF_TensorData(in[W]), TF_TensorData(in[U]), TF_TensorData(in[BIAS]), D, H);
    int enough = room.numbers != NULL;
    if (enough) {
      const int64_t v = chosen.width, panels = (H + v - 1) / v;
      F.packed = room.numbers, F.packed_bias = room.numbers + panels * (D + H) * 4 * v;
      enough = forward_of(&F, B);
    }
    give_back(room);
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
    if (!backward_of(&R, TF_TensorData(in[B_U]), B))
      TF_SetStatus(call.status, RESOURCE_EXHAUSTED, "no memory for an LSTM's backward pass");
  }
  end(&call);
}

static void any_shape(TF_ShapeInferenceContext *context, TF_Status *status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

static void define(const char *name, const char *const *inputs, const char *const *outputs,
                   const char *const *attributes, TF_KernelBuilder *kernel) {
  TF_Status *status = TF_NewStatus();
  TF_OpDefinitionBuilder *op = TF_NewOpDefinitionBuilder(name);
  for (; *attributes; attributes++) TF_OpDefinitionBuilderAddAttr(op, *attributes);
  for (; *inputs; inputs++) TF_OpDefinitionBuilderAddInput(op, *inputs);
  for (; *outputs; outputs++) TF_OpDefinitionBuilderAddOutput(op, *outputs);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, any_shape);
  TF_RegisterOpDefinition(op, status);
  TF_RegisterKernelBuilder(name, kernel, status);
  TF_DeleteStatus(status);
}

__attribute__((constructor)) static void load(void) {
  choose();
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

/* Grows with every change of what the operations take and give; native/__init__.py has it too. */
const int lstm_zoo_interface = 3;

/* What the kernels were chosen for: "avx512", "avx2" or "plain". */
const char *lstm_zoo_simd(void) { return chosen.name; }
