// SPDX-License-Identifier: GPL-2.0-only
/* The program of test_decide.bpf.c, with a `policy` map of its own. */
#include "test_decide.bpf.c"
