/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - atomic operations with the memory order in the name.
 *
 * The order is visible at the call: load_acq(&q->head).  rlx relaxed, acq acquire, rel
 * release, ar acquire and release, sc sequentially consistent.  load_own and store_own are
 * plain accesses by a field's only writer (or under the lock that protects it), and say so.
 *
 * Every use stronger than relaxed names its pair in a comment, [like-this]; the same tag
 * stands at the other side (tests/orders.sh).
 */
#ifndef GORO_ATOMIC_H
#define GORO_ATOMIC_H

#define load_own(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define load_rlx(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acq(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define load_sc(p)		__atomic_load_n((p), __ATOMIC_SEQ_CST)
#define store_own(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_rlx(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_rel(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define store_sc(p, v)		__atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define xchg_rlx(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_RELAXED)
#define xchg_acq(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define xchg_rel(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_RELEASE)
#define xchg_ar(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define xchg_sc(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define add_rlx(p, v)		__atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define add_acq(p, v)		__atomic_fetch_add((p), (v), __ATOMIC_ACQUIRE)
#define add_rel(p, v)		__atomic_fetch_add((p), (v), __ATOMIC_RELEASE)
#define add_ar(p, v)		__atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define add_sc(p, v)		__atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define sub_ar(p, v)		__atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define or_rlx(p, v)		__atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define or_acq(p, v)		__atomic_fetch_or((p), (v), __ATOMIC_ACQUIRE)
#define or_ar(p, v)		__atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define and_ar(p, v)		__atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)

/* *p == *expected ? (*p = v, true) : (*expected = *p, false); strong, so no loop is needed. */
#define cas_rlx(p, exp, v) \
	__atomic_compare_exchange_n((p), (exp), (v), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define cas_acq(p, exp, v) \
	__atomic_compare_exchange_n((p), (exp), (v), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define cas_rel(p, exp, v) \
	__atomic_compare_exchange_n((p), (exp), (v), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define cas_ar(p, exp, v) \
	__atomic_compare_exchange_n((p), (exp), (v), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define cas_sc(p, exp, v) \
	__atomic_compare_exchange_n((p), (exp), (v), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

#define fence_sc()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define compiler_barrier()	__atomic_signal_fence(__ATOMIC_SEQ_CST)

static inline void
cpu_relax(void)
{
#if defined __x86_64__
	__builtin_ia32_pause();
#elif defined __aarch64__
	__asm__ volatile("yield");
#endif
}

#endif
