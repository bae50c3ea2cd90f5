/**
 * Loaded into a measured server. On SIGUSR2, prints the process id, the number of signals so far, and the bytes in use
 * after garbage collections.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

const SETTLE_MS = 100;

if (isMainThread) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  let asked = 0;
  process.on('SIGUSR2', async () => {
    // Objects freed by the first collection may hold memory outside the heap until their finalizers have run.
    collect();
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    collect();
    const { heapUsed, external } = process.memoryUsage();
    asked += 1;
    process.stderr.write(`keeps ${process.pid} ${asked} ${heapUsed + external}\n`);
  });
}
