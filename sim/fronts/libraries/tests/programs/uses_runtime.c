/* Compiled against the real headers of each major: device, memory, copies, streams, errors. */
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <string.h>

static int failures;
#define CHECK(what) do { if (!(what)) { printf("%d: %s\n", __LINE__, #what); ++failures; } } while (0)

int main(void)
{
    int count = -1, version = -1;
    struct cudaDeviceProp properties;
    struct { struct cudaPointerAttributes attributes; unsigned char behind[64]; } asked;
    unsigned char sent[4096], received[4096];
    void *memory = NULL, *pinned = NULL;
    cudaStream_t stream;
    cudaEvent_t event;
    unsigned i;

    CHECK(cudaGetDeviceCount(&count) == cudaSuccess && count >= 1);
    CHECK(cudaRuntimeGetVersion(&version) == cudaSuccess && version / 1000 == CUDART_VERSION / 1000);
    memset(&properties, 0, sizeof properties);
    CHECK(cudaGetDeviceProperties(&properties, 0) == cudaSuccess);
    CHECK(strstr(properties.name, "simulated") != NULL);
    CHECK(properties.totalGlobalMem > 0 && properties.warpSize == 32 && properties.unifiedAddressing == 1);

    for (i = 0; i < sizeof sent; ++i)
        sent[i] = (unsigned char)(i * 7);
    memset(received, 0, sizeof received);
    CHECK(cudaMalloc(&memory, sizeof sent) == cudaSuccess && memory != NULL);
    CHECK(cudaMemcpy(memory, sent, sizeof sent, cudaMemcpyHostToDevice) == cudaSuccess);
    CHECK(cudaMemcpy(received, memory, sizeof sent, cudaMemcpyDeviceToHost) == cudaSuccess);
    CHECK(memcmp(sent, received, sizeof sent) == 0);

    CHECK(cudaMemcpy(memory, sent, sizeof sent + 1, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    CHECK(cudaPeekAtLastError() == cudaErrorInvalidValue);
    CHECK(strcmp(cudaGetErrorName(cudaGetLastError()), "cudaErrorInvalidValue") == 0);
    CHECK(cudaGetLastError() == cudaSuccess);
    CHECK(cudaMemcpy2D(memory, 8, sent, 8, 16, 2, cudaMemcpyHostToDevice) == cudaErrorInvalidPitchValue);
    CHECK(cudaMemcpy(memory, sent, 4, (enum cudaMemcpyKind)9) == cudaErrorInvalidMemcpyDirection);
    (void)cudaGetLastError();

    /* The struct of this major, and not one byte more. */
    memset(&asked, 0x5a, sizeof asked);
    CHECK(cudaPointerGetAttributes(&asked.attributes, memory) == cudaSuccess);
    CHECK(asked.attributes.type == cudaMemoryTypeDevice && asked.attributes.device == 0);
    CHECK(asked.attributes.devicePointer == memory);
    for (i = 0; i < sizeof asked.behind; ++i)
        CHECK(asked.behind[i] == 0x5a);

    CHECK(cudaMallocHost(&pinned, sizeof sent) == cudaSuccess);
    CHECK(cudaStreamCreate(&stream) == cudaSuccess && cudaEventCreate(&event) == cudaSuccess);
    CHECK(cudaMemsetAsync(memory, 0x2b, sizeof sent, stream) == cudaSuccess);
    CHECK(cudaMemcpyAsync(pinned, memory, sizeof sent, cudaMemcpyDeviceToHost, stream) == cudaSuccess);
    CHECK(cudaEventRecord(event, stream) == cudaSuccess && cudaEventSynchronize(event) == cudaSuccess);
    for (i = 0; i < sizeof sent; ++i)
        CHECK(((unsigned char *)pinned)[i] == 0x2b);
    CHECK(cudaEventDestroy(event) == cudaSuccess && cudaStreamDestroy(stream) == cudaSuccess);
    CHECK(cudaFreeHost(pinned) == cudaSuccess && cudaFree(memory) == cudaSuccess);
    CHECK(cudaDeviceReset() == cudaSuccess);
    CHECK(cudaMalloc(&memory, 16) == cudaSuccess);
    printf("%s\n", failures ? "failed" : "done");
    return failures != 0;
}
