/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Loading must fail with this code and this very sentence. */

#include "build.h"

void refused(const uint8_t *bytes, size_t n, int code, const char *sentence);
void refused_build(const Build *build, int code, const char *sentence);
void refused_path(const char *path, int code, const char *sentence);
