/* Needs no header of CUDA: opens the runtime by name and asks for a function with its version. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments)
{
    const char *name = arguments[1];
    void *library = count > 1 ? dlopen(name, RTLD_NOW) : NULL;
    int (*allocate)(void **, size_t);
    int (*copy)(void *, const void *, size_t, int);
    char there[] = "through the device", back[sizeof there];
    void *memory = NULL;

    if (!library) {
        printf("%s\n", dlerror());
        return 1;
    }
    if (dlvsym(library, "cudaMemcpy", "libcudart.so.99"))
        return 2;
    allocate = (int (*)(void **, size_t))dlvsym(library, "cudaMalloc", name);
    copy = (int (*)(void *, const void *, size_t, int))dlvsym(library, "cudaMemcpy", name);
    if (!allocate || !copy || (void *)copy != dlsym(library, "cudaMemcpy"))
        return 3;
    if (allocate(&memory, sizeof there) || copy(memory, there, sizeof there, 1) || copy(back, memory, sizeof there, 2))
        return 4;
    printf("%s\n", back);
    return strcmp(there, back) != 0;
}
