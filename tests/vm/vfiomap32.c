// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfiomap's 32-bit half, for a kernel with CONFIG_COMPAT: maps a page of the BAR that
 * argv[1] names (one digit) of the device that is open as descriptor 10. The exit
 * status is 0 or the errno value. No library: the tool root has none for 32 bits.
 */
#define DEVICE 10
#define PAGE 0x10000 /* whole pages whatever their size */

/* Numbers of the 32-bit ABI, arch/arm/tools/syscall.tbl. */
enum { NR_exit = 1, NR_mmap2 = 192 };

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r7 __asm__("r7") = number;
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;
	register long r4 __asm__("r4") = e;
	register long r5 __asm__("r5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(r0)
			 : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
			 : "memory");
	return r0;
}

/* stack: argc, argv[0], argv[1], ... as the kernel leaves them. */
__attribute__((used, noreturn)) void begin(const long *stack)
{
	long bar = *(const char *)stack[2] - '0';
	/* PROT_READ, MAP_SHARED; the offset counts units of 4096 bytes: index << 40. */
	long r = call(NR_mmap2, 0, PAGE, 1, 1, DEVICE, bar << 28);

	call(NR_exit, r < 0 && r >= -4095 ? -r : 0, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}

__asm__(".globl _start\n_start: mov r0, sp\n\tb begin\n");
