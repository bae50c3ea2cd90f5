import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import { ThreadChannel } from './thread-channel.js';

it('takes messages of a stage module for garbage, not for answers', () => {
  const worker = new EventEmitter();
  const listener = { received: vi.fn(), garbled: vi.fn(), ended: vi.fn() };
  new ThreadChannel(worker as never, () => {}).listen(listener);
  const garbage = [null, 'x', 7, {}, { kind: 'result' }, { kind: 'result', items: [null], serviceMs: 1 }];
  for (const message of [...garbage, { kind: 'load-failed' }, { kind: 'closed', error: 'x' }]) {
    worker.emit('message', message);
  }
  expect(listener.garbled).toHaveBeenCalledTimes(8);
  expect(listener.received).not.toHaveBeenCalled();
  const answers = [{ kind: 'ready' }, { kind: 'result', items: [{ kind: 'ok', output: {} }], serviceMs: 1 }];
  for (const message of [...answers, { kind: 'closed' }]) worker.emit('message', message);
  expect(listener.received).toHaveBeenCalledTimes(3);
});
