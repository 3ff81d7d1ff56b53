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

/* The sums of all parts, and where the weight gradients go. Only the last block of a GRU_AFTER has
   dU of the candidate, and the block before it dW. */
struct addends {
  const float *sums;
  int64_t parts, part_scratch, D, H, blocks;
  float *dW, *dU, *db;
  int after;
};

/* Lines lo to hi of [dW; dU; db]: the sums of the parts, always added in the same order. */
static void add_up(void *job, int64_t lo, int64_t hi) {
  const struct addends *A = job;
  const int64_t D = A->D, H = A->H, gates = A->after ? 3 : A->blocks, width = A->blocks * H;
  for (int64_t k = lo; k < hi; k++) {
    float *to = k < D ? A->dW + k * gates * H : k < D + H ? A->dU + (k - D) * gates * H : A->db;
    const int64_t columns = k < D + H ? gates * H : width, skipped = A->after && k >= D && k < D + H;
    memset(to, 0, sizeof(float) * columns);
    for (int64_t part = 0; part < A->parts; part++) {
      const float *sums = A->sums + part * A->part_scratch + k * SUM_WIDTH(width);
      const int64_t first = skipped ? 2 * H : columns;
      for (int64_t j = 0; j < first; j++) to[j] += sums[j];
      for (int64_t j = first; j < columns; j++) to[j] += sums[j + H];
    }
  }
}

/* The whole backward pass; returns 0 if there is no memory for it. */
int backward_pass(struct backward *B, const float *U, int64_t rows) {
  const int64_t D = B->features, H = B->units, K = SUM_HEIGHT(D, H);
  B->part_rows = rows_of_a_part(rows);
  B->part_scratch = SUM_SCRATCH(K, 4 * H);
  const int64_t parts = (rows + B->part_rows - 1) / B->part_rows;
  struct buffer packed = pack_transposed(U, H), sums = borrow(parts * B->part_scratch, 0);
  const int enough = packed.numbers && (sums.numbers || !rows);
  if (enough) {
    struct addends addends = {sums.numbers, parts, B->part_scratch, D, H, 4, B->dW, B->dU, B->db, 0};
    B->packed = packed.numbers, B->sums = sums.numbers;
    run_in_parts(kernels->backward_rows, B, rows);
    run_in_parts(add_up, &addends, D + H + 1);
  }
  give_back(packed), give_back(sums);
  return enough;
}

/* The forward pass of a GRU or a SimpleRNN; returns 0 if there is no memory for it. */
int gru_forward_pass(struct gru_forward *F, const float *W, const float *U, int64_t rows) {
  const int64_t D = F->features, H = F->units;
  F->part_rows = rows_of_a_part(rows);
  const int64_t of_z = F->gates ? 0 : F->blocks + (F->blocks == GRU_BEFORE);
  F->part_scratch = F->part_rows * (of_z * H + (F->x_drop || F->h_drop ? D + H : 0)) + 16;
  struct buffer packed = pack_gru(W, U, D, H, F->blocks);
  struct buffer scratch = borrow((rows + F->part_rows - 1) / F->part_rows * F->part_scratch, 0);
  const int enough = packed.numbers && (scratch.numbers || !rows);
  if (enough) {
    F->packed = packed.numbers, F->scratch = scratch.numbers;
    run_in_parts(kernels->gru_forward_rows, F, rows);
  }
  give_back(packed), give_back(scratch);
  return enough;
}

/* The backward pass of a GRU or a SimpleRNN; returns 0 if there is no memory for it. */
int gru_backward_pass(struct gru_backward *B, const float *U, int64_t rows) {
  const int64_t D = B->features, H = B->units, K = SUM_HEIGHT(D, H), gates = B->blocks == 1 ? 1 : 3;
  B->part_rows = rows_of_a_part(rows);
  B->part_scratch = SUM_SCRATCH(K, B->blocks * H) + B->part_rows * H; /* see gru_backward_rows */
  const int64_t parts = (rows + B->part_rows - 1) / B->part_rows;
  struct buffer packed = pack_gru_transposed(U, H, gates), sums = borrow(parts * B->part_scratch, 0);
  const int enough = packed.numbers && (sums.numbers || !rows);
  if (enough) {
    struct addends addends = {sums.numbers, parts, B->part_scratch, D, H, B->blocks,
                              B->dW,        B->dU, B->db,           B->blocks == GRU_AFTER};
    B->packed = packed.numbers, B->sums = sums.numbers;
    run_in_parts(kernels->gru_backward_rows, B, rows);
    run_in_parts(add_up, &addends, D + H + 1);
  }
  give_back(packed), give_back(sums);
  return enough;
}
