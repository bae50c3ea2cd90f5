/**
 * Keeps the other cores busy during a measurement, as in service: busy replicas and hyper-threads slow a variant down.
 */
import { Worker } from 'node:worker_threads';

export interface NeighbourLoad {
  /** Resolves when exactly `threads` threads compute. */
  keepBusy(threads: number): Promise<void>;
}

/** Multiply-adds over an array in the second-level cache: arithmetic and memory traffic like a model's. */
const NEIGHBOUR_CODE = `
  const values = new Float64Array(32768).fill(1);
  require('node:worker_threads').parentPort.postMessage('computing');
  for (;;) for (let i = 0; i < values.length; i++) values[i] = values[i] * 0.999 + 0.001;
`;

export class BusyNeighbours implements NeighbourLoad {
  readonly #threads: Worker[] = [];

  async keepBusy(threads: number): Promise<void> {
    while (this.#threads.length > threads) await this.#threads.pop()?.terminate();
    while (this.#threads.length < threads) this.#threads.push(await startNeighbour());
  }
}

function startNeighbour(): Promise<Worker> {
  const worker = new Worker(NEIGHBOUR_CODE, { eval: true, execArgv: [] });
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', () => resolve(worker));
  });
}
