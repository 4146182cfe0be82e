/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Fragments with their own variables, which documents of the provisional
 * specification of 2017 may call and that of 1.0 has no longer. */
extern const char nn_nnef_layers[];
