/* What every call answers where there is no driver at all; outputs must stay as they are. */
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <string.h>

#define SHOW(call) printf("%s %d\n", #call, (int)(call))

int main(void)
{
    char buffer[2048];
    int number = 77;
    size_t size = 77, other = 77;
    void *pointer = (void *)77;
    cudaStream_t stream = (cudaStream_t)77;
    cudaEvent_t event = (cudaEvent_t)77;
    cudaArray_t array = (cudaArray_t)77;
    struct cudaPitchedPtr pitched;
    struct cudaExtent extent = {1, 1, 1};
    memset(&pitched, 77, sizeof pitched);
    memset(buffer, 77, sizeof buffer);

    SHOW(cudaGetLastError());
    SHOW(cudaPeekAtLastError());
    SHOW(cudaRuntimeGetVersion(&number));
    printf("%d\n", number);
    SHOW(cudaDriverGetVersion(&number));
    printf("%d\n", number);
    number = 77;
    SHOW(cudaGetDeviceCount(&number));
    SHOW(cudaGetDevice(&number));
    SHOW(cudaSetDevice(0));
    SHOW(cudaDeviceSynchronize());
    SHOW(cudaDeviceReset());
    SHOW(cudaDeviceGetAttribute(&number, cudaDevAttrWarpSize, 0));
    SHOW(cudaMemGetInfo(&size, &other));
    SHOW(cudaMalloc(&pointer, 4));
    SHOW(cudaMallocHost(&pointer, 4));
    SHOW(cudaMallocManaged(&pointer, 4, 1));
    SHOW(cudaMallocPitch(&pointer, &size, 4, 4));
    SHOW(cudaMalloc3D(&pitched, extent));
    SHOW(cudaFree(NULL));
    SHOW(cudaFreeHost(NULL));
    SHOW(cudaFreeArray(array));
    SHOW(cudaHostRegister(buffer, 16, 0));
    SHOW(cudaMemcpy(NULL, NULL, 0, cudaMemcpyDefault));
    SHOW(cudaMemcpy(buffer, buffer + 4, 4, (enum cudaMemcpyKind)9));
    SHOW(cudaMemcpyAsync(buffer, buffer + 4, 4, cudaMemcpyHostToHost, 0));
    SHOW(cudaMemcpy2D(buffer, 1, buffer, 1, 2, 2, cudaMemcpyHostToHost));
    SHOW(cudaMemset(NULL, 0, 0));
    SHOW(cudaStreamCreate(&stream));
    SHOW(cudaStreamSynchronize(0));
    SHOW(cudaEventCreate(&event));
    SHOW(cudaPointerGetAttributes((struct cudaPointerAttributes *)buffer, buffer));
    SHOW(cudaGetSymbolSize(&size, buffer));
    SHOW(cudaGetLastError());
    SHOW(cudaGetLastError());
    printf("%d %zu %zu %p %p %p %p %d\n", number, size, other, pointer, (void *)stream, (void *)event, pitched.ptr, buffer[8]);
    for (number = 0; number < 1100; ++number)
        printf("%d %s: %s\n", number, cudaGetErrorName((cudaError_t)number), cudaGetErrorString((cudaError_t)number));
    return 0;
}
