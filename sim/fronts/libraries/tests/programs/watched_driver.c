/* A libcuda.so.1 between a runtime and the simulated driver: writes the name of each watched call that is made. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uintptr_t word;
typedef int call6(word, word, word, word, word, word);
typedef int find1(const char *, void **, int, uint64_t);
typedef int find2(const char *, void **, int, uint64_t, void *);

static void *core(void)
{
    static void *library;
    if (!library)
        library = dlopen(getenv("WATCHED_DRIVER"), RTLD_NOW);
    if (!library)
        abort();
    return library;
}

#define WATCHED(X) \
    X(cuMemAlloc_v2) X(cuMemFree_v2) X(cuMemHostAlloc) X(cuMemFreeHost) X(cuMemAllocManaged) X(cuMemAllocPitch_v2) \
    X(cuMemcpy) X(cuMemcpyAsync) X(cuMemcpyHtoD_v2) X(cuMemcpyHtoDAsync_v2) X(cuMemcpyDtoH_v2) X(cuMemcpyDtoHAsync_v2) \
    X(cuMemcpyDtoD_v2) X(cuMemcpyDtoDAsync_v2) X(cuMemcpy2DUnaligned_v2) X(cuMemcpy2DAsync_v2) X(cuMemcpy3D_v2) \
    X(cuMemcpy3DAsync_v2) X(cuMemcpyPeer) X(cuMemsetD8_v2) X(cuMemsetD8Async) X(cuMemsetD2D8_v2) \
    X(cuMemcpyHtoD_v2_ptds) X(cuMemcpyHtoDAsync_v2_ptsz) X(cuMemsetD8_v2_ptds) X(cuPointerGetAttributes) \
    X(cuCtxGetCurrent) X(cuCtxSynchronize) X(cuCtxSynchronize_v2) X(cuStreamSynchronize) X(cuArray3DCreate_v2)

#define WRAP(name)                                                  \
    static call6 *real_##name;                                      \
    static int watch_##name(word a, word b, word c, word d, word e, word f) \
    {                                                               \
        fprintf(stderr, "%s\n", #name);                             \
        return real_##name(a, b, c, d, e, f);                       \
    }
WATCHED(WRAP)

/* The caller gets the watching function in place of the driver's. */
static void replace(void **found)
{
#define REPLACE(name)                                       \
    real_##name = (call6 *)dlsym(core(), #name);            \
    if (*found && *found == (void *)real_##name) {          \
        *found = (void *)watch_##name;                      \
        return;                                             \
    }
    WATCHED(REPLACE)
}

int cuGetProcAddress(const char *name, void **found, int version, uint64_t flags)
{
    int status = ((find1 *)dlsym(core(), "cuGetProcAddress"))(name, found, version, flags);
    if (!status)
        replace(found);
    return status;
}

int cuGetProcAddress_v2(const char *name, void **found, int version, uint64_t flags, void *why)
{
    int status = ((find2 *)dlsym(core(), "cuGetProcAddress_v2"))(name, found, version, flags, why);
    if (!status)
        replace(found);
    return status;
}
