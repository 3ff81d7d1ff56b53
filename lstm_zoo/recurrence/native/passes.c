/* A whole pass over the batch: cut into parts for the threads, and the sums of the parts added up. */

#include "lstm.h"

/* The scratch memory of the part that begins at row `lo`. Where nothing is kept, it holds the hidden
   states of a step and of the next; with dropout, the four versions of each row's [x, h] follow. The
   memory of all parts is allocated before any part runs, because no part could report a failure. */
float *scratch_of(const struct forward *F, int64_t lo) {
  return F->scratch + lo / F->part_rows * F->part_scratch;
}

/* Copies the first states to where the steps read them. Returns the memory for the hidden states of a
   step and of the next, which change places at every step, or NULL where `gates` are kept. */
float *first_states(const struct forward *F, int64_t lo, int64_t hi) {
  const int64_t T = F->steps, H = F->units;
  if (!F->gates) {
    float *hidden = scratch_of(F, lo);
    memcpy(hidden, F->h0 + lo * H, sizeof(float) * (hi - lo) * H);
    memcpy(F->c + lo * H, F->c0 + lo * H, sizeof(float) * (hi - lo) * H);
    return hidden;
  }
  for (int64_t r = lo; r < hi; r++) {
    memcpy(T ? F->h_before + r * T * H : F->h + r * H, F->h0 + r * H, sizeof(float) * H);
    memcpy(T ? F->c_before + r * T * H : F->c + r * H, F->c0 + r * H, sizeof(float) * H);
  }
  return NULL;
}

/* Copies the last hidden states from there to the results. */
void last_states(const struct forward *F, const float *hidden, int64_t lo, int64_t hi) {
  const int64_t size = (hi - lo) * F->units;
  if (hidden) memcpy(F->h + lo * F->units, hidden + F->steps % 2 * size, sizeof(float) * size);
}

/* With so many products in a step, the time that threads wait for each other is small. */
static int64_t products_worth_a_wait = 1 << 17;

/* The whole forward pass; returns 0 if there is no memory for it. It is cut by units where rows would
   leave half of the cores idle and a step has enough products. */
int forward_pass(struct forward *F, int64_t rows) {
  const int64_t D = F->features, H = F->units, panels = (H + kernels->width - 1) / kernels->width;
  const int64_t cores = number_of_cores();
  const int drops = F->x_drop || F->h_drop;
  const int64_t products = rows * (D + H) * 4 * H;
  const int cut_by_units = rows * 2 <= cores && products >= products_worth_a_wait && !drops;
  F->part_rows = cut_by_units ? rows : rows_of_a_part(rows);
  F->part_scratch = F->part_rows * ((F->gates ? 0 : 2 * H) + (drops ? 4 * (D + H) : 0));
  F->part_scratch += 16; /* no cache line belongs to two parts */
  F->scratch = malloc(sizeof(float) * ((rows + F->part_rows - 1) / F->part_rows) * F->part_scratch);
  if (!F->scratch && rows) return 0;
  if (cut_by_units) {
    struct by_units units = {F, first_states(F, 0, rows), rows, cores < panels ? cores : panels, 0, 0};
    run_in_parts(kernels->forward_units, &units, units.parts);
    last_states(F, units.hidden, 0, rows);
  } else {
    run_in_parts(kernels->forward_rows, F, rows);
  }
  free(F->scratch);
  return 1;
}

struct addends {
  const struct backward *of;
  int64_t parts;
};

/* Lines lo to hi of [dW; dU; db]: the sums of the parts, always added in the same order. */
static void add_up(void *job, int64_t lo, int64_t hi) {
  const struct addends *A = job;
  const struct backward *B = A->of;
  const int64_t D = B->features, H = B->units;
  for (int64_t k = lo; k < hi; k++) {
    float *to = k < D ? B->dW + k * 4 * H : k < D + H ? B->dU + (k - D) * 4 * H : B->db;
    memset(to, 0, sizeof(float) * 4 * H);
    for (int64_t part = 0; part < A->parts; part++) {
      const float *sums = B->sums + part * B->part_scratch + k * SUM_WIDTH(H);
      for (int64_t j = 0; j < 4 * H; j++) to[j] += sums[j];
    }
  }
}

/* The whole backward pass; returns 0 if there is no memory for it. */
int backward_pass(struct backward *B, const float *U, int64_t rows) {
  const int64_t D = B->features, H = B->units, K = SUM_HEIGHT(D, H);
  B->part_rows = rows_of_a_part(rows);
  B->part_scratch = K * SUM_WIDTH(H) + (K + 4 * 16) * SUM_STEPS + K; /* see add_sums */
  struct addends addends = {B, (rows + B->part_rows - 1) / B->part_rows};
  struct buffer packed = pack_transposed(U, H), sums = borrow(addends.parts * B->part_scratch, 0);
  const int enough = packed.numbers && (sums.numbers || !rows);
  if (enough) {
    B->packed = packed.numbers, B->sums = sums.numbers;
    run_in_parts(kernels->backward_rows, B, rows);
    run_in_parts(add_up, &addends, D + H + 1);
  }
  give_back(packed), give_back(sums);
  return enough;
}
