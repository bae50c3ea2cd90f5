/** Loaded into a measured server: at SIGUSR2 it prints its pid, how often it was asked, and the bytes it keeps after collections. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

const SETTLE_MS = 100;

if (isMainThread) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  let asked = 0;
  process.on('SIGUSR2', async () => {
    // What the first one finds unused may hold memory beside the heap until its finalizers have run.
    collect();
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    collect();
    const { heapUsed, external } = process.memoryUsage();
    asked += 1;
    process.stderr.write(`keeps ${process.pid} ${asked} ${heapUsed + external}\n`);
  });
}
