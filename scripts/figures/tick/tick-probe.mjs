/**
 * Loaded by `node --import` into a server and its planner workers. Reports the functions that run from the timer of the
 * control loop to the first call into core's optimize folder. V8 counts the calls. Marks that tick-hooks.mjs inserts
 * into the compiled code trigger the reading of the counts. Every report is a line of JSON in the file that
 * EQUIPOISE_TICK_REPORTS names.
 */
import { appendFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { register, syncBuiltinESMExports } from 'node:module';
import workerThreads, { isMainThread, parentPort } from 'node:worker_threads';

const reports = process.env['EQUIPOISE_TICK_REPORTS'];
if (reports === undefined) throw new Error('EQUIPOISE_TICK_REPORTS names no file.');
Error.stackTraceLimit = 100;
const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

/** Functions that ran since the last call, as `URL NAME`. */
function takeFunctions() {
  const functions = [];
  session.post('Profiler.takePreciseCoverage', (error, coverage) => {
    if (error) throw error;
    for (const { url, functions: found } of coverage.result)
      for (const { functionName, ranges } of found)
        if (url.includes('/dist/') && ranges[0].count > 0) functions.push(`${url} ${functionName}`);
  });
  return functions;
}

/** Places on the stack of our own code, innermost first. */
const takeStack = () => new Error().stack.split('\n').filter((line) => line.includes('/dist/'));
const epochNowMs = () => performance.timeOrigin + performance.now();
const report = (kind, facts) => appendFileSync(reports, `${JSON.stringify({ kind, ...facts })}\n`);

/** Wraps a callback that begins a measured period: a timer here, or a message in a planner worker. */
function beginning(callback) {
  return (...args) => {
    takeFunctions();
    stage = 'begun';
    beganAtMs = epochNowMs();
    return callback(...args);
  };
}
let stage = 'idle';
let beganAtMs = 0;
let path;

globalThis.equipoiseTickMark = (mark) => {
  if (mark === 'step') {
    if (stage !== 'begun') return;
    stage = 'step';
    path = takeStack();
  } else if (stage === 'step') {
    stage = 'done';
    report('step', { beganAtMs, path, functions: takeFunctions() });
  }
};

if (isMainThread) {
  for (const name of ['setTimeout', 'setInterval']) {
    const original = globalThis[name];
    globalThis[name] = Object.assign((callback, ...args) => original(beginning(callback), ...args), original);
  }
  const { Worker } = workerThreads;
  workerThreads.Worker = class extends Worker {
    constructor(entry, options = {}) {
      super(entry, { ...options, execArgv: [...(options.execArgv ?? []), '--import', import.meta.url] });
    }
    postMessage(...args) {
      if (stage === 'begun' && JSON.stringify(args[0])?.includes('"observation"')) {
        stage = 'done';
        report('ask', { atMs: epochNowMs(), path: takeStack(), functions: takeFunctions() });
      }
      super.postMessage(...args);
    }
  };
  syncBuiltinESMExports();
} else {
  const { on } = parentPort;
  parentPort.on = (type, listener) => on.call(parentPort, type, type === 'message' ? beginning(listener) : listener);
}
register('./tick-hooks.mjs', import.meta.url);
