/* Stands in for NVIDIA's header of this name, which the packages that carry
 * cuda_runtime_api.h lack: just the macros that its declarations use. */
#ifndef CUWHY_HOST_DEFINES_H
#define CUWHY_HOST_DEFINES_H

#define CUDARTAPI
#define CUDARTAPI_CDECL
#define CUDART_CB
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __align__(n)
#define __device_builtin__
#define __device_builtin_texture_type__
#define __device_builtin_surface_type__
#define __cudart_builtin__
#define __host__
#define __device__
#define __global__
#define __shared__
#define __constant__
#define __managed__
#define __forceinline__
#define __inline__ inline
#define __specialization_static static

#endif
