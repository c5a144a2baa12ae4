/* Makes one call of the runtime after the other, each with its name before it; needs no header of CUDA. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef int call();

static void *library;
static call *find(const char *name)
{
    call *found = (call *)dlsym(library, name);
    if (!found)
        abort();
    return found;
}

#define SAY(name, ...)                                      \
    do {                                                    \
        fprintf(stderr, "> %s%s\n", name, #__VA_ARGS__);    \
        find(name)(__VA_ARGS__);                            \
    } while (0)

int main(int count, char **arguments)
{
    static char host[256], other[256];
    char attributes[128];
    void *d = 0, *e = 0, *h = 0, *s = 0;
    size_t pitch;
    int kind;
    if (count < 2 || !(library = dlopen(arguments[1], RTLD_NOW)))
        return 1;
    find("cudaFree")(0);
    find("cudaMalloc")(&e, (size_t)4096);
    find("cudaStreamCreate")(&s);
    SAY("cudaMalloc", &d, (size_t)4096);
    for (kind = 0; kind < 5; ++kind) {
        void *to = kind == 1 || kind == 3 ? d : host, *from = kind == 2 || kind == 3 ? e : other;
        fprintf(stderr, "kind %d\n", kind);
        SAY("cudaMemcpy", to, from, (size_t)64, kind);
        SAY("cudaMemcpyAsync", to, from, (size_t)64, kind, s);
        SAY("cudaMemcpy2D", to, (size_t)64, from, (size_t)64, (size_t)32, (size_t)2, kind);
        SAY("cudaMemcpy2DAsync", to, (size_t)64, from, (size_t)64, (size_t)32, (size_t)2, kind, s);
        SAY("cudaMemcpy", to, from, (size_t)0, kind);
    }
    fprintf(stderr, "others\n");
    SAY("cudaMemcpy", d, host, (size_t)4, 9);
    SAY("cudaMemcpy", 0, host, (size_t)4, 1);
    SAY("cudaMemcpy2D", d, (size_t)4, host, (size_t)4, (size_t)32, (size_t)2, 1);
    SAY("cudaMemcpyPeer", d, 0, e, 0, (size_t)64);
    SAY("cudaMemset", d, 0, (size_t)64);
    SAY("cudaMemset", d, 0, (size_t)0);
    SAY("cudaMemsetAsync", d, 0, (size_t)64, s);
    SAY("cudaMemset2D", d, (size_t)64, 0, (size_t)32, (size_t)2);
    SAY("cudaMalloc", &h, (size_t)0);
    SAY("cudaMallocPitch", &h, &pitch, (size_t)100, (size_t)4);
    SAY("cudaMallocHost", &h, (size_t)100);
    SAY("cudaFreeHost", h);
    SAY("cudaMallocManaged", &h, (size_t)100, 1);
    SAY("cudaPointerGetAttributes", attributes, d);
    SAY("cudaStreamSynchronize", (void *)0);
    SAY("cudaDeviceSynchronize");
    SAY("cudaMemcpy_ptds", d, host, (size_t)64, 1);
    SAY("cudaMemcpyAsync_ptsz", d, host, (size_t)64, 1, (void *)0);
    SAY("cudaMemset_ptds", d, 0, (size_t)64);
    SAY("cudaFree", e);
    SAY("cudaFree", (void *)0);
    return 0;
}
