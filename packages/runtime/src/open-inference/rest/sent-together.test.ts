import { stageId } from '@equipoise/core/model';
import { SENT_TOGETHER_HEADER } from '@equipoise/open-inference-codec';
import { afterEach, expect, it } from 'vitest';
import { endServers, INFER, specFor, start, tensorOf, x } from '../server-bench.test-support.js';

afterEach(endServers);

it('a stage waits for no more requests than the client sends together', async () => {
  const { json, runner } = await start(specFor([tensorOf('UINT8', [1])]));
  runner.setBatching(stageId('a'), { maxBatchSize: 8, maxBatchWaitMs: 3_600_000 });
  const send = (together: number) =>
    json(
      INFER,
      { ...x('UINT8', [1], [1]), parameters: { timeout_ms: 3_600_000 } },
      { [SENT_TOGETHER_HEADER]: `${together}` },
    );
  expect((await send(1)).status).toBe(200);
  const replies = await Promise.all([send(3), send(3), send(3)]);
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
});

it.each(['two', '-1', '1000000', '2, 3'])(
  'a stated number of %s is refused, and the message names the header',
  async (stated) => {
    const { json } = await start(specFor([tensorOf('UINT8', [1])]));
    const { status, body } = await json(INFER, x('UINT8', [1], [1]), { [SENT_TOGETHER_HEADER]: stated });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain('The header Equipoise-Sent-Together must be an integer from 1 to 999999.');
  },
);
