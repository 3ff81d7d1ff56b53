/* The steps of a plan for x86-64 processors with AVX2. */

#include "../../recurrence/native/simd.h"
#if HAS_AVX
#include <immintrin.h>
#pragma GCC target("avx2,fma")
#define V 8
#define MIN(a, b) (vec) _mm256_min_ps((__m256)(a), (__m256)(b))
#define MAX(a, b) (vec) _mm256_max_ps((__m256)(a), (__m256)(b))
#define ROWS 3
#define SERVING serving_avx2
#define NAME "avx2"
#include "layers.h"
#endif
