/* The steps of a plan for x86-64 processors with AVX-512. */

#include "../../recurrence/native/simd.h"
#if HAS_AVX
#include <immintrin.h>
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#define V 16
#define MIN(a, b) (vec) _mm512_min_ps((__m512)(a), (__m512)(b))
#define MAX(a, b) (vec) _mm512_max_ps((__m512)(a), (__m512)(b))
#define ROWS 6
#define SERVING serving_avx512
#define NAME "avx512"
#include "layers.h"
#endif
