/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include <sched.h>
#include <unistd.h>

#include "base/util.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

static const char *const isa_names[_NN_ISA_MAX] = {
    [NN_ISA_C] = "c",
    [NN_ISA_NEON] = "neon",
    [NN_ISA_NEONDOT] = "neondot",
    [NN_ISA_AVX2] = "avx2",
    [NN_ISA_AVX512] = "avx512",
};

const char *nn_isa_name(NnIsa isa)
{
    return (unsigned)isa < _NN_ISA_MAX ? isa_names[isa] : "unknown";
}

int nn_isa_from_name(const char *name, NnIsa *ret_isa)
{
    for (int i = 0; i < _NN_ISA_MAX; i++)
        if (strcmp(name, isa_names[i]) == 0) {
            *ret_isa = (NnIsa)i;
            return 0;
        }
    return -EINVAL;
}

#if defined(__x86_64__)

/* XCR0: which register files the kernel saves (Intel SDM volume 1, 13.3). */
#define XCR0_YMM 0x6u     /* SSE, AVX */
#define XCR0_ZMM 0xe6u    /* the same, opmask, upper halves, zmm16-31 */

static uint64_t read_xcr0(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool x86_has(NnIsa isa)
{
    const uint32_t avx512 = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    uint32_t a, b, c, d;
    uint64_t xcr0;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA))
        return false;
    xcr0 = read_xcr0();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return false;
    if (!(b & bit_AVX2) || (xcr0 & XCR0_YMM) != XCR0_YMM)
        return false;
    if (isa == NN_ISA_AVX2)
        return true;
    return isa == NN_ISA_AVX512 && (b & avx512) == avx512 && (xcr0 & XCR0_ZMM) == XCR0_ZMM;
}

bool nn_isa_available(NnIsa isa)
{
    return isa == NN_ISA_C || x86_has(isa);
}

#elif defined(__aarch64__)

bool nn_isa_available(NnIsa isa)
{
    unsigned long hwcap = getauxval(AT_HWCAP);

    switch (isa) {
    case NN_ISA_C:
        return true;
    case NN_ISA_NEON:
        return hwcap & HWCAP_ASIMD;
    case NN_ISA_NEONDOT:
        return (hwcap & HWCAP_ASIMD) && (hwcap & HWCAP_ASIMDDP);
    default:
        return false;
    }
}

#else

bool nn_isa_available(NnIsa isa)
{
    return isa == NN_ISA_C;
}

#endif

NnIsa nn_isa_best(void)
{
    for (int i = _NN_ISA_MAX - 1; i > NN_ISA_C; i--)
        if (nn_isa_available((NnIsa)i))
            return (NnIsa)i;
    return NN_ISA_C;
}

unsigned nn_cpu_count(void)
{
    cpu_set_t set;
    long n;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (unsigned)NN_MAX(CPU_COUNT(&set), 1);
    /* More processors than cpu_set_t has room for. */
    n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}
