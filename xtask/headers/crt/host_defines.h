#ifndef H
#define H
#define CUDARTAPI
#define CUDARTAPI_CDECL
#define CUDART_CB
#define __align__(n) __attribute__((aligned(n)))
#define __device_builtin__
#define __device_builtin_texture_type__
#define __device_builtin_surface_type__
#define __cudart_builtin__
#define __builtin_align__(a) __align__(a)
#define __host__
#define __device__
#define __global__
#define __forceinline__
#define __specialization_static static
#define __CUDA_ARCH_HAS_FEATURE__(x) 0
#define __no_return__ __attribute__((noreturn))
#define __noinline__
#define __shared__
#define __constant__
#define __managed__
#define __inline__ inline
#endif
