// SPDX-License-Identifier: Apache-2.0
// Runs a model once with ONNX Runtime:
//   node onnxruntime.js FOLDER/node_modules MODEL REQUEST.json OUTPUT_FOLDER
// The request lists inputs: name, type (of ONNX Runtime), dims, file with the raw elements.
// Writes the elements of each output to a file and prints one JSON line that describes them.
'use strict';
const fs = require('fs');
const path = require('path');

const [modules, model, request, folder] = process.argv.slice(2);
const ort = require(path.resolve(modules, 'onnxruntime-node'));
const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array,
  int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
  int64: BigInt64Array, uint64: BigUint64Array, bool: Uint8Array,
};

async function main() {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['cpu'], intraOpNumThreads: 1, logSeverityLevel: 3,
  });
  const feeds = {};
  for (const input of JSON.parse(fs.readFileSync(request, 'utf8'))) {
    const bytes = fs.readFileSync(input.file);
    const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    feeds[input.name] = new ort.Tensor(input.type, new ARRAYS[input.type](copy), input.dims);
  }
  const results = await session.run(feeds);
  const outputs = session.outputNames.map((name, index) => {
    const tensor = results[name];
    const file = path.join(folder, `${index}.bin`);
    fs.writeFileSync(file, new Uint8Array(tensor.data.buffer, tensor.data.byteOffset,
                                          tensor.data.byteLength));
    return { name, type: tensor.type, dims: tensor.dims, file };
  });
  console.log(JSON.stringify({ outputs }));
}

main().catch((error) => {
  console.error(String(error.message || error).split('\n')[0]);
  process.exit(1);
});
