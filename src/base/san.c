/* SPDX-License-Identifier: MIT */
/*
 * san.c - which sanitizers are present; Valgrind's client requests.
 */
#include "san.h"

#include <string.h>

bool san_on, san_asan, san_tsan, san_lsan, san_valgrind;

/*
 * A request to Valgrind: an instruction sequence that does nothing on a real machine and that
 * Valgrind recognises (from its manual, "The Client Request mechanism").
 */
static uintptr_t
valgrind_request(uintptr_t dflt, uintptr_t what, uintptr_t a, uintptr_t b)
{
	volatile uintptr_t args[6] = {what, a, b, 0, 0, 0};
	uintptr_t result = dflt;

#if defined __x86_64__
	__asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "=d"(result)
			 : "a"(&args[0]), "0"(dflt)
			 : "cc", "memory");
#elif defined __aarch64__
	register uintptr_t x3 __asm__("x3") = dflt;
	register volatile uintptr_t *x4 __asm__("x4") = args;

	__asm__ volatile("ror x12, x12, #3; ror x12, x12, #13; ror x12, x12, #51; ror x12, x12, #61\n\t"
			 "orr x10, x10, x10"
			 : "+r"(x3)
			 : "r"(x4)
			 : "cc", "memory");
	result = x3;
#else
	(void)args;
#endif
	return result;
}

enum { VG_RUNNING = 0x1001, VG_STACK_REGISTER = 0x1501, VG_STACK_DEREGISTER = 0x1502 };

void
san_init(void)
{
	san_asan = __asan_unpoison_memory_region != NULL && __sanitizer_start_switch_fiber != NULL;
	san_tsan = __tsan_create_fiber != NULL && __tsan_switch_to_fiber != NULL;
	san_lsan = __lsan_register_root_region != NULL && !san_tsan;
	san_on = san_asan || san_tsan;
	san_valgrind = valgrind_request(0, VG_RUNNING, 0, 0) != 0;
}

uint32_t
san_stack_register(const void *lo, const void *hi)
{
	return san_valgrind ? (uint32_t)valgrind_request(0, VG_STACK_REGISTER, (uintptr_t)lo, (uintptr_t)hi)
			    : 0;
}

void
san_stack_deregister(uint32_t id)
{
	if (san_valgrind)
		valgrind_request(0, VG_STACK_DEREGISTER, id, 0);
}

/*
 * Without optimisation compilers call memset and memcpy for every struct that is initialised or
 * assigned, and a race detector in the program replaces those: it would see some accesses of the
 * runtime, but none of what orders them.  So an unoptimised library has its own, for itself only.
 */
#if defined __has_feature
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#endif
#if !defined __OPTIMIZE__ && !defined __SANITIZE_ADDRESS__ && !defined WITH_ASAN
#define PRIVATE	__attribute__((visibility("hidden")))

PRIVATE void *
memset(void *to, int c, size_t n)
{
	unsigned char *t = to;

	while (n-- > 0)
		*t++ = (unsigned char)c;
	return to;
}

PRIVATE void *
memcpy(void *restrict to, const void *restrict from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	while (n-- > 0)
		*t++ = *f++;
	return to;
}
#endif
