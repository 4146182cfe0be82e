/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a written NNEF file says beyond the standard operations, in the words of
 * the standard: fragments without body, which KHR_enable_fragment_definitions
 * allows. export*.c write them, the importer reads them.
 *
 * An operator of ONNX that the standard set does not have, or not with these
 * types, attributes or shapes:
 *
 *   fragment onnx_TopK( x0: tensor<scalar>, x1: tensor<integer>, axis: integer,
 *                       onnx_opset: integer ) -> ( y0: tensor<scalar>, y1: tensor<integer> );
 *   …
 *   ( values, indices ) = onnx_TopK(scores, k, axis = 1, onnx_opset = 13);
 *
 * - The name is NN_ONNX_FORM_PREFIX and the type of the operator. A type that is
 *   used with a second signature has __1, __2, … after it.
 * - Positional arguments are the inputs in the order of ONNX. Where an optional
 *   input is absent and a later one is not, onnx_inputs = [0, 2] says which inputs
 *   of the operator the arguments are.
 * - Attributes are named arguments under their ONNX name. The literal tells the
 *   type: 1 an integer, 1.0 a float, 'x' a string, lists of these, a tensor
 *   identifier a tensor attribute; for an empty list the declaration does.
 * - onnx_opset is the version of the node's domain, onnx_domain that domain when it
 *   is not ai.onnx. onnx_type is there when the type is no identifier or ends in
 *   two underscores and digits.
 * - Results are the outputs in the order of ONNX; an output that nobody reads has
 *   an identifier too.
 *
 * What tensors are called and are, and the metadata, are the defaults of a
 * fragment that is never called:
 *
 *   fragment onnx_model(
 *       names: (string, string)[] = [('images_1', 'images.1')],
 *       types: (string, string)[] = [('ids', 'int32')],
 *       metadata: (string, string)[] = [('plated.task', 'detect')] )
 *   -> ( model: tensor<scalar> );
 *
 * - names: identifiers of graph inputs and outputs whose true name is no
 *   identifier, and that name.
 * - types: graph inputs whose element type is not the one that external gives:
 *   float32 for scalar, int64 for integer, bool for logical. Names as of
 *   nn_dtype_name().
 * - A parameter is left out when it has nothing to say, the fragment when all are.
 * - In these strings a control character or % is written %XX.
 *
 * constant<integer> is int64, constant<scalar> float32, constant<logical> bool;
 * variables have the type of their .dat file. A dimension of a variable may be 0. */

#define NN_ONNX_FORM_PREFIX "onnx_"
#define NN_ONNX_FORM_MODEL "onnx_model"
