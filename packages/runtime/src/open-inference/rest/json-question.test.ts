import { expect, it } from 'vitest';
import { WorkBudget } from '../../net/work-budget.js';
import { type RestRequest, readJsonQuestion } from './endpoint.js';

it('JSON of a question of medium size is dropped while there was too much of it', async () => {
  let nowMs = 0;
  const mediumWork = new WorkBudget({ burstMs: 10, fraction: 0.1 }, () => nowMs);
  const ask = (text: string) => {
    const readBody = async () => Uint8Array.from(Buffer.from(JSON.stringify(text)));
    return readJsonQuestion({ readBody, largeRequests: { mediumWork } } as unknown as RestRequest);
  };
  const medium = 'a'.repeat(10_000);
  mediumWork.count(() => (nowMs += 20));
  const dropped = { code: 'DROPPED', details: { reason: 'queue-full', retryAfterMs: 80 } };
  await expect(ask(medium)).rejects.toMatchObject(dropped);
  expect(await ask('small')).toBe('small');
  nowMs += 80;
  expect(await ask(medium)).toBe(medium);
});
