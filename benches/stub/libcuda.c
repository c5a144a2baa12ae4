/* Two small libraries that call themselves libcuda.so.1; build.rs makes both.

   The link-time stub lets `call_link` be linked where there is no driver. Nothing of it is in the
   program: at run time the system's loader looks for the real libcuda.so.1.

   The stand-in is what `call` calls where there is no driver, so that the ways of calling can be
   compared anywhere. It does as little as a function can. */

#ifdef STAND_IN
#define ANSWER 0
#else
#define ANSWER 34 /* CUDA_ERROR_STUB_LIBRARY */
#endif

int cuDriverGetVersion(int *version)
{
    *version = 13000;
    return ANSWER;
}
