import { stageId, variantId } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { expect, it } from 'vitest';
import { BatchTimes } from './batch-times.js';

it('leaves a timed replica all that serving depends on', async () => {
  let abandoned = 0;
  const runner: ModelRunner = {
    run: async (batch) => ({ items: batch.map((output) => ({ kind: 'ok', output })), serviceMs: 7 }),
    ...{ keepsTensors: false, givesTensors: true, passesTraces: true },
    abandon: () => {
      abandoned += 1;
    },
    onLost: () => undefined,
    close: async () => undefined,
  };
  const times = new BatchTimes();
  const replica = { stageId: stageId('a'), variantId: variantId('v'), cpuCores: 1, fansOut: false };
  const timed = times.timed(runner, replica);
  timed.abandon?.();
  const { keepsTensors, givesTensors, passesTraces } = timed;
  expect({ keepsTensors, givesTensors, passesTraces, abandoned }).toEqual({
    ...{ keepsTensors: false, givesTensors: true, passesTraces: true, abandoned: 1 },
  });
  await timed.run([{}, {}]);
  times.clock.nowMs();
  expect(times.take().batches).toMatchObject([{ stageId: 'a', batchSize: 2, serviceMs: 7 }]);
});
