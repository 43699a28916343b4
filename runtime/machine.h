/* What the machine itself says about its processor and memory. */
#ifndef IVL_RUNTIME_MACHINE_H
#define IVL_RUNTIME_MACHINE_H

#include <stddef.h>

/* Bytes that this process may still take: the smaller of the memory available and what its control
 * groups leave. Drivers report other numbers, and overcommitting ends in a kill. */
size_t ivl_machine_memory(void);

/* Key of tuning data for the CPU: "cpu-avx512", "cpu-avx2", "cpu-neon", "cpu". */
const char *ivl_machine_arch(void);

/* The CPU's feature words as the kernel lists them; compiled kernels depend on them. "" if unknown. */
void ivl_machine_flags(char *text, size_t n);

#endif
