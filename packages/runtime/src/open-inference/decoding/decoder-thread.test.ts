import type { EventEmitter } from 'node:events';
import { parentPort } from 'node:worker_threads';
import { expect, it, vi } from 'vitest';
import { tensorOf } from '../server-bench.test-support.js';

vi.mock('node:worker_threads', async (original) => {
  const { EventEmitter } = await import('node:events');
  const port = Object.assign(new EventEmitter(), { postMessage: vi.fn() });
  return { ...(await original<typeof import('node:worker_threads')>()), parentPort: port };
});

const port = parentPort as unknown as EventEmitter & { readonly postMessage: ReturnType<typeof vi.fn> };

it.each([
  ['answered', '{"x":[1,2,3]}', { id: 7, answer: { inputs: { x: { data: Float32Array.of(1, 2, 3) } } } }],
  ['refused', '{"x":[1,2,', { id: 7, failure: { code: 'MALFORMED_REQUEST' } }],
])('the memory of a large request is free once it is %s', async (_, json, reply) => {
  await import('./decoder-thread.js');
  const bytes = Uint8Array.from(Buffer.from(json));
  const encoded = { bytes, maxJsonBytes: 1000, inputs: [tensorOf('FP32', [-1])] };
  port.emit('message', { id: 7, kind: 'run', encoded });
  expect(port.postMessage.mock.lastCall?.[0]).toMatchObject(reply);
  expect(bytes.buffer.byteLength).toBe(0);
});
