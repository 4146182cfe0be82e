/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "head.h"

/* Puts the characters of a plate into reading order: rows from top to bottom,
 * each from left to right, small letters that stand on one another from top to
 * bottom. The plate may be tilted. Specks far smaller than the rest are
 * dropped, and of more than LPR_CHARACTERS_MAX the weakest. */
void lpr_rows_sort(LprDetections *characters);
