/* A number that goes up, in memory that processes share. */
#ifndef CRUDDUR_BASE_COUNTER_H
#define CRUDDUR_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

static inline void counter_add(counter *one, uint64_t more)
{
    atomic_fetch_add_explicit(one, more, memory_order_relaxed);
}

static inline uint64_t counter_value(const counter *one)
{
    return atomic_load_explicit(one, memory_order_relaxed);
}

#endif
