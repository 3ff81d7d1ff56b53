/* One call of a plan: its inputs are checked, its rows cut into parts for the threads, each part into
   blocks whose arrays fit into the cache, and each block goes through all steps. */

#include "serving.h"

#include "../../recurrence/native/simd.h"

enum { BLOCK_NUMBERS = 1 << 17, LEAST_ROWS = 12 };
static const double work_worth_threads = 2e6; /* products of a call */

static const struct serving *serving = &serving_plain;

__attribute__((constructor)) static void load(void) {
  choose_kernels();
#if HAS_AVX
  if (kernels == &kernels_avx2) serving = &serving_avx2;
  if (kernels == &kernels_avx512) serving = &serving_avx512;
#endif
}

/* Changes with the structures and the operations; serving/compiled.py has the same number. */
const int lstm_zoo_serving_interface = 4;

/* The instructions in use, and the numbers in a vector. */
const char *lstm_zoo_serving_simd(void) { return serving->name; }
int lstm_zoo_serving_width(void) { return serving->width; }

struct view view_of(const struct rows *rows, int64_t value) {
  if (value < 0) return (struct view){NULL, 1, 0};
  const struct value *v = rows->plan->values + value;
  return (struct view){rows->at[value], rows->sizes[v->steps], v->width};
}

struct serve {
  const struct plan *plan;
  const int64_t *sizes;
  const float *const *inputs;
  float *const *outputs;
  int64_t block, numbers; /* rows of a block; floats that the values of a row take */
  int64_t scratch;        /* floats for a step of a block */
  int alone;
  _Atomic int problem;
};

static void serve_rows(void *job, int64_t lo, int64_t hi) {
  struct serve *S = job;
  const struct plan *plan = S->plan;
  const int64_t most = hi - lo < S->block ? hi - lo : S->block;
  struct buffer buffer = borrow((size_t)(most * S->numbers + S->scratch + 16), 0);
  if (!buffer.numbers) {
    atomic_store(&S->problem, NO_MEMORY);
    return;
  }
  float *at[MOST_VALUES];
  struct rows rows = {plan, S->sizes, 0, S->alone, at, buffer.numbers, &S->problem};
  for (int64_t row = lo; row < hi; row += rows.count) {
    rows.count = hi - row < S->block ? hi - row : S->block;
    float *free_from = buffer.numbers + S->scratch;
    for (int64_t k = 0; k < plan->values_count; k++) {
      const struct value *v = plan->values + k;
      const int64_t size = S->sizes[v->steps] * v->width;
      if (v->place == INPUT) {
        at[k] = (float *)S->inputs[v->number] + row * size; /* which no step writes */
      } else if (v->place == OUTPUT) {
        at[k] = S->outputs[v->number] + row * size;
      } else {
        at[k] = free_from;
        free_from += rows.count * size;
      }
    }
    for (int64_t k = 0; k < plan->steps_count; k++) serving->run(plan->steps + k, &rows);
  }
  give_back(buffer);
}

static int all_finite(const float *x, int64_t count) {
  const uint32_t *bits = (const uint32_t *)x, infinite = 0x7f800000;
  uint32_t found = 0;
  for (int64_t k = 0; k < count; k++) found |= (bits[k] & infinite) == infinite;
  return !found;
}

/* Products for a row. */
static double work_of_row(const struct plan *plan, const int64_t *sizes) {
  double work = 0;
  for (int64_t k = 0; k < plan->steps_count; k++) {
    const struct step *step = plan->steps + k;
    if (step->in[0] < 0) continue;
    const struct value *x = plan->values + step->in[0];
    double each = x->width;
    if (step->operation == RECURRENT) each = (x->width + step->options[1]) * 4.0 * step->options[1];
    if (step->operation == DENSE || step->operation == CONVOLUTION)
      each = (double)x->width * plan->values[step->out[0]].width;
    if (step->operation == CONVOLUTION) each *= step->options[1];
    work += each * sizes[x->steps];
  }
  return work;
}

/* Runs a plan on `rows` rows. Returns 0, or a problem and the number of the input times 8. */
int lstm_zoo_serve(const struct plan *plan, int64_t rows, const int64_t *sizes,
                   const void *const *inputs, void *const *outputs) {
  struct serve S = {plan, sizes, (const float *const *)inputs, (float *const *)outputs, 0, 0, 0, 0, 0};
  int64_t of_input[MOST_INPUTS + MOST_VALUES];
  for (int64_t k = 0; k < plan->values_count; k++) {
    const struct value *v = plan->values + k;
    const int64_t size = sizes[v->steps] * v->width;
    if (v->place == SCRATCH) S.numbers += size;
    if (v->place == INPUT) of_input[v->number] = size;
  }
  for (int64_t k = 0; k < plan->inputs_count; k++)
    if (plan->checked[k] && !all_finite(inputs[k], rows * of_input[k]))
      return NOT_FINITE + 8 * (int)k;
  S.block = S.numbers ? BLOCK_NUMBERS / S.numbers : rows;
  S.block = S.block / LEAST_ROWS * LEAST_ROWS;
  if (S.block < LEAST_ROWS) S.block = LEAST_ROWS;
  const int threads = work_of_row(plan, sizes) * rows >= work_worth_threads;
  S.alone = threads;
  const int64_t part = threads ? rows_of_a_part(rows) : rows;
  if (part < S.block) S.block = part;
  float *at[MOST_VALUES] = {0};
  struct rows counted = {plan, sizes, S.block, 0, at, NULL, NULL};
  for (int64_t k = 0; k < plan->steps_count; k++) {
    const int64_t more = serving->scratch(plan->steps + k, &counted);
    if (more > S.scratch) S.scratch = more;
  }
  S.scratch = (S.scratch + 15) / 16 * 16;
  if (threads)
    run_in_parts(serve_rows, &S, rows);
  else if (rows)
    serve_rows(&S, 0, rows);
  return atomic_load(&S.problem);
}
