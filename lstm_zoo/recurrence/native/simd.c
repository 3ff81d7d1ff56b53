/* Chooses the kernels for this processor. */

#include "simd.h"

#include "lstm.h"

const struct kernels *kernels = &kernels_plain;

/* LSTM_ZOO_SIMD may be "plain" or "avx2", to test the slower kernels on a newer processor. */
void choose_kernels(void) {
#if HAS_AVX
  const char *at_most = getenv("LSTM_ZOO_SIMD");
  __builtin_cpu_init();
  if (at_most && !strcmp(at_most, "plain")) return;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) kernels = &kernels_avx2;
  if (at_most && !strcmp(at_most, "avx2")) return;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    kernels = &kernels_avx512;
#endif
}
