/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Compiled forms of model files, kept in a directory of the application. The name of
 * one, STEM-CHECKSUM.nnp, holds the checksum of the file that it was made of: another
 * file of the same name has another. */

#include "exec/exec.h"

/* Whether these options give the model that a cache may hold: a compiled file has the
 * shapes of its source and no others. */
bool nn_cache_serves(const NnModelOptions *options);

/* Where the compiled form of this model file stands, or would. malloc'd. -ENOMEM. */
NN_MUST_CHECK int nn_cache_path(const char *directory, const char *model, const void *bytes,
                                size_t n_bytes, char **ret_path);

/* Removes what was made of earlier files of the same name. What cannot be removed stays. */
void nn_cache_prune(const char *path);
