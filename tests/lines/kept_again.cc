// SPDX-License-Identifier: Apache-2.0
/* The second file: see kept.cc. */
#define AGAIN
#include "kept.cc"

void again(int x)
{
	kept(x + 1);
}
