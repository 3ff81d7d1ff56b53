/* The LSTM, the GRU and the SimpleRNN over whole sequences, in plain C: of the LSTM the plain cell and
   the one with peepholes, of the GRU both forms, all with tanh or relu. All arrays have the batch first.
   What the files share:

     kernel_plain.c, kernel_avx2.c, kernel_avx512.c   both passes over some rows of the batch, for one
                                                       kind of processor each; the code is in kernel.h
     simd.c         chooses one of them
     pool.c         the threads
     packing.c      the weights in the order in which the kernels read them
     passes.c       a whole pass: cut into parts for the threads, and summed up
     operations.c, operations_gru.c   the way in and out: two operations of TensorFlow each */

#ifndef LSTM_ZOO_LSTM_H
#define LSTM_ZOO_LSTM_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define SHARED
#else
#define SHARED __attribute__((visibility("hidden"))) /* shared by these files and by no others */
/* operations_gru.c */
SHARED void define_gru(void);

#endif

struct forward {
  int64_t steps, features, units;
  const float *x, *h0, *c0;           /* (batch, steps, features), (batch, units) twice */
  const uint8_t *mask;                /* (batch, steps), or NULL */
  const float *x_drop, *h_drop;       /* factors, (batch, 4, features), (batch, 4, units), or NULL */
  const float *peepholes;             /* (3, units), to i, f and o, or NULL */
  int relu;                           /* in place of tanh */
  const float *packed, *packed_bias;  /* see packing.c */
  float *y;                           /* (batch, steps, units), or NULL */
  float *h, *c;                       /* after the last step, (batch, units) */
  float *gates, *h_before, *c_before; /* of every step, (batch, steps, 4 * units or units), or NULL */
  float *scratch;                     /* for all parts: see scratch_of */
  int64_t part_rows, part_scratch;    /* rows of a part, numbers of `scratch` for each */
};

struct backward {
  int64_t steps, features, units;
  const float *x, *h_before, *gates, *c_before;
  const float *dy, *dh, *dc; /* dy is NULL where no output was wanted */
  const uint8_t *mask;
  const float *x_drop, *h_drop, *peepholes;
  int relu;
  const float *packed;             /* U transposed: see packing.c */
  float *dz, *dh0, *dc0;           /* (batch, steps, 4 * units), (batch, units) twice */
  float *dW, *dU, *db;             /* (features, 4 * units), (units, 4 * units), (4 * units,) */
  float *sums;                     /* of each part: [dW; dU; db] of its rows, then its scratch */
  int64_t part_rows, part_scratch; /* rows of a part, numbers of `sums` for each */
};

/* A forward pass whose steps are cut by units. Each thread takes the next part of a step and waits
   until the step before is complete. It works with any number of threads, even if none joins. */
struct by_units {
  const struct forward *of;
  float *hidden;               /* see first_states */
  int64_t rows, parts;         /* of each step */
  _Atomic int64_t next, ready; /* parts, counted over all steps */
};

/* A GRU or a SimpleRNN, by how many blocks of `units` numbers its z has. GRU_BEFORE multiplies the
   hidden state by the reset gate before the matrix product, GRU_AFTER behind it; the last block of
   GRU_AFTER is U h of the candidate, which W x must not enter. */
enum { SIMPLE_RNN = 1, GRU_BEFORE = 3, GRU_AFTER = 4 };

/* The arrays have the names and shapes of those above, with `blocks * units` for z and its gradient,
   and with three gates (one in a SimpleRNN) for the weights and the dropout. */
struct gru_forward {
  int64_t steps, features, units;
  int blocks, relu;
  const float *x, *h0;
  const uint8_t *mask;
  const float *x_drop, *h_drop;
  const float *packed, *bias;       /* see packing.c; (blocks * units,) */
  float *y, *h;
  float *gates, *h_before, *reset;  /* of every step, or NULL; reset is r * h of GRU_BEFORE */
  float *scratch;
  int64_t part_rows, part_scratch;
};

struct gru_backward {
  int64_t steps, features, units;
  int blocks, relu;
  const float *x, *h_before, *gates, *reset;
  const float *dy, *dh;
  const uint8_t *mask;
  const float *x_drop, *h_drop;
  const float *packed;
  float *dz, *dh0;
  float *dW, *dU, *db;             /* db is (blocks * units,) */
  float *sums;
  int64_t part_rows, part_scratch;
};

/* The weight gradients are sums over rows and steps, [dW; dU; db] += [x, h, 1]^T dz. SUM_STEPS addends
   are made at once, for SUM_LINES lines of the result at a time. A part's result has SUM_HEIGHT lines of
   SUM_WIDTH numbers, `width` in a line of dz: more than needed, so that the kernels write whole vectors.
   Scratch memory follows it, see sums.h. */
enum { SUM_STEPS = 256, SUM_LINES = 6 };
#define SUM_HEIGHT(D, H) (((D) + (H) + SUM_LINES) / SUM_LINES * SUM_LINES)
#define SUM_WIDTH(width) ((width) + 4 * 16)
#define SUM_SCRATCH(K, width) ((K) * SUM_WIDTH(width) + ((K) + 4 * 16) * SUM_STEPS + (K))

/* Work on lo to hi, of rows or of whatever the job counts. */
typedef void work(void *job, int64_t lo, int64_t hi);

/* simd.c, kernel_*.c */
struct kernels {
  const char *name;
  int width; /* numbers in a vector */
  work *forward_rows, *forward_units, *backward_rows, *gru_forward_rows, *gru_backward_rows;
};
extern const struct kernels kernels_plain SHARED, kernels_avx2 SHARED, kernels_avx512 SHARED;
extern const struct kernels *kernels SHARED; /* those for this processor */
SHARED void choose_kernels(void);

/* pool.c */
SHARED int64_t number_of_cores(void);
SHARED int64_t rows_of_a_part(int64_t rows);
SHARED void run_in_parts(work *run, void *job, int64_t rows);

/* packing.c */
struct buffer {
  size_t size;
  float *numbers;
};
SHARED struct buffer borrow(size_t size, int zeros);
SHARED void give_back(struct buffer buffer);
SHARED struct buffer pack_gates(const float *W, const float *U, const float *b, int64_t D, int64_t H);
SHARED struct buffer pack_transposed(const float *U, int64_t H);
SHARED struct buffer pack_gru(const float *W, const float *U, int64_t D, int64_t H, int blocks);
SHARED struct buffer pack_gru_transposed(const float *U, int64_t H, int gates);

/* Where the panels of block k of z begin, whose lines are those of [W; U]; v is a vector's width. */
static inline int64_t gru_packed_before(int64_t D, int64_t H, int k, int64_t v) {
  return (k < 3 ? k * (D + H) : 2 * (D + H) + D) * ((H + v - 1) / v * v);
}

/* passes.c */
SHARED float *scratch_of(const struct forward *F, int64_t lo);
SHARED float *first_states(const struct forward *F, int64_t lo, int64_t hi);
SHARED void last_states(const struct forward *F, const float *hidden, int64_t lo, int64_t hi);
SHARED int forward_pass(struct forward *F, int64_t rows);
SHARED int backward_pass(struct backward *B, const float *U, int64_t rows);
SHARED int gru_forward_pass(struct gru_forward *F, const float *W, const float *U, int64_t rows);
SHARED int gru_backward_pass(struct gru_backward *B, const float *U, int64_t rows);

/* operations_gru.c */
SHARED void define_gru(void);

#endif
