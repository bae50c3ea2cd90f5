import { randomFillSync } from 'node:crypto';

/** Random bytes for many ids: one call of the generator per id would cost more than the rest of a trace. */
const pool = Buffer.alloc(4096);
let used = pool.length;

export function newTraceId(): string {
  return randomHex(16);
}

export function newSpanId(): string {
  return randomHex(8);
}

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}
