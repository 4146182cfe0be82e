// SPDX-License-Identifier: Apache-2.0
// One model in ONNX Runtime, driven by lines on its standard input:
//   node onnxruntime.js FOLDER/node_modules MODEL REQUEST.json THREADS
// The request lists inputs: name, type (of ONNX Runtime), dims, file with the raw elements.
// Prints a JSON line when it is ready; then, for each line, another: `run N` gives wall and
// processor times of N inferences in ms, `outputs FOLDER` writes the elements of each output
// to a file and describes them.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');

const [modules, model, request, threads] = process.argv.slice(2);
const baseKb = Math.round(process.memoryUsage.rss() / 1024);
const ort = require(path.resolve(modules, 'onnxruntime-node'));
const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array,
  int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
  int64: BigInt64Array, uint64: BigUint64Array, bool: Uint8Array,
};

function nowMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

function readInputs() {
  const feeds = {};
  for (const input of JSON.parse(fs.readFileSync(request, 'utf8'))) {
    const bytes = fs.readFileSync(input.file);
    const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    feeds[input.name] = new ort.Tensor(input.type, new ARRAYS[input.type](copy), input.dims);
  }
  return feeds;
}

async function timed(session, feeds, n) {
  const told = { wall: [], cpu: [], rss_kb: [] };
  for (let i = 0; i < n; i++) {
    const cpu = cpuMs();
    const wall = nowMs();
    await session.run(feeds);
    told.wall.push(nowMs() - wall);
    told.cpu.push(cpuMs() - cpu);
    told.rss_kb.push(Math.round(process.memoryUsage.rss() / 1024));
  }
  return told;
}

async function write(session, feeds, folder) {
  const results = await session.run(feeds);
  const outputs = session.outputNames.map((name, index) => {
    const tensor = results[name];
    const file = path.join(folder, `${index}.bin`);
    fs.writeFileSync(file, new Uint8Array(tensor.data.buffer, tensor.data.byteOffset,
                                          tensor.data.byteLength));
    return { name, type: tensor.type, dims: tensor.dims, file };
  });
  return { outputs };
}

async function main() {
  const started = nowMs();
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['cpu'], intraOpNumThreads: Number(threads), interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const ready = nowMs();
  const feeds = readInputs();
  console.log(JSON.stringify({ load_ms: ready - started, ready_ms: ready, base_kb: baseKb }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, value] = line.split(' ', 2);
    const told = verb === 'run' ? timed(session, feeds, Number(value))
      : write(session, feeds, value);
    console.log(JSON.stringify(await told));
  }
}

main().catch((error) => {
  console.error(String(error.message || error).split('\n')[0]);
  process.exit(1);
});
