/** Several sources on real tensors: parts that meet, that do not, and what they hold meanwhile. */
import {
  type PipelineSpec,
  SeededRng,
  type SourceSpec,
  type StageId,
  stageId,
  type TensorMap,
} from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { Cancellation } from './cancellation.js';
import type { PipelineOutcome } from './pending-request.js';
import { failed, setUp } from './runner-bench.test-support.js';
import { edge, fp32, type ItemScript, servingSpec } from './serving-bench.test-support.js';

const LETTER = 0;
const SCAN = 1;

const source = (name: string, to: string, more: Partial<SourceSpec> = {}): SourceSpec => ({
  name,
  to: [stageId(to) as StageId],
  tensors: [{ name, datatype: 'FP32', shape: [1], contentTypes: [] }],
  ...more,
});
const letter = (value: number): TensorMap => ({ letter: fp32([1], value) });
const scan = (value: number): TensorMap => ({ scan: fp32([1], value) });
const dropped = (reason: string) => expect.objectContaining({ kind: 'dropped', reason });

/** `read` and `detect` each add 1 to a part of their own, and `sort` gets both. A stage takes 10 ms. */
function mail({ scanMayMiss = false, ...more }: Partial<PipelineSpec> & { scanMayMiss?: boolean } = {}) {
  const spec = servingSpec(['read', 'detect', 'sort'], {
    sources: [source('letter', 'read'), source('scan', 'detect', scanMayMiss ? { onMissing: 'partial' } : {})],
    sourceJoin: { maxWaitMs: 1000, maxWaiting: 2 },
    edges: [edge('read', 'sort'), edge('detect', 'sort')],
    slo: { latencyMs: 100, percentile: 99 },
    ...more,
  });
  const plusOne: ItemScript = (item) =>
    Object.fromEntries(Object.entries(item).map(([name, { data }]) => [name, fp32([1], Number(data[0]) + 1)]));
  return setUp(spec, { read: plusOne, detect: plusOne, sort: (item) => item });
}

describe('parts of a request', () => {
  it('begin it once all are there, and all get its answer', async () => {
    const { clock, pipeline, runners, ends } = mail();
    const first = pipeline.submitPart({ source: SCAN, key: 'a' }, scan(20));
    await clock.advanceTo(600);
    expect([pipeline.inFlight, pipeline.inFlightBytes, runners['detect']?.batches]).toEqual([0, 4, []]);
    const second = pipeline.submitPart({ source: LETTER, key: 'a' }, letter(10));
    await clock.advanceTo(700);
    const answer = { kind: 'completed', output: { letter: fp32([1], 11), scan: fp32([1], 21) } };
    expect(await Promise.all([first, second])).toEqual([answer, answer]);
    expect(runners['read']?.batches).toEqual([[letter(10)]]);
    expect(runners['detect']?.batches).toEqual([[scan(20)]]);
    // The clock of the SLO starts with the last part.
    expect(ends).toMatchObject([{ kind: 'completed', arrivedAtMs: 600, latencyMs: 20 }]);
    expect(pipeline.inFlightBytes).toBe(0);
  });

  it('meet by their ids, each id within its tenant', async () => {
    const { clock, pipeline } = mail();
    const outcomes = [
      pipeline.submitPart({ source: LETTER, key: 'a' }, letter(1), { tenant: 'red' }),
      pipeline.submitPart({ source: LETTER, key: 'a' }, letter(2), { tenant: 'blue' }),
      pipeline.submitPart({ source: SCAN, key: 'a' }, scan(20), { tenant: 'blue' }),
    ];
    await clock.advanceTo(1000);
    const answer = { kind: 'completed', output: { letter: fp32([1], 3), scan: fp32([1], 21) } };
    expect(await Promise.all(outcomes)).toEqual([failed('PART_MISSING', /^No part of scan came/), answer, answer]);
  });

  it('enter alone if the missing source is optional; the answer names it', async () => {
    const { clock, pipeline, runners } = mail({ scanMayMiss: true });
    const outcome = pipeline.submitPart({ source: LETTER, key: 'a' }, letter(10));
    await clock.advanceTo(1100);
    expect(await outcome).toEqual({ kind: 'completed', output: { letter: fp32([1], 11) }, missing: ['scan'] });
    expect(runners['detect']?.batches).toEqual([]);
    const late = pipeline.submitPart({ source: SCAN, key: 'a' }, scan(20));
    expect(await late).toEqual(failed('PART_LATE', /^The part of scan came after/));
    const again = pipeline.submitPart({ source: LETTER, key: 'a' }, letter(10));
    expect(await again).toEqual(failed('PART_DUPLICATE', /^A part of letter was sent under this id before/));
  });

  it('take the shortest time-out and the most urgent priority, from the last part on', async () => {
    const { clock, pipeline } = mail();
    const outcomes = [
      pipeline.submitPart({ source: LETTER, key: 'a' }, letter(1), { timeoutMs: 5, priority: 0 }),
      clock.advanceTo(500).then(() => pipeline.submitPart({ source: SCAN, key: 'a' }, scan(2), { timeoutMs: 90 })),
    ];
    await clock.advanceTo(700);
    const late = dropped('deadline-passed');
    expect(await Promise.all(outcomes)).toEqual([late, late]);
  });

  it('end the wait of the oldest request if too many wait: its client is told, the newer ones are served', async () => {
    const { clock, pipeline } = mail();
    const parked = ['a', 'b', 'c'].map((id) => pipeline.submitPart({ source: LETTER, key: id }, letter(1)));
    expect(await parked[0]).toEqual(failed('PART_MISSING', /^No part of scan came in time/));
    expect(await pipeline.submitPart({ source: SCAN, key: 'a' }, scan(1))).toEqual(
      failed('PART_LATE', /after the wait/),
    );
    const partners = ['b', 'c'].map((id) => pipeline.submitPart({ source: SCAN, key: id }, scan(1)));
    await clock.advanceTo(100);
    const outcomes = await Promise.all([...parked.slice(1), ...partners]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(Array(4).fill('completed'));
    expect(pipeline.inFlightBytes).toBe(0);
  });

  it('are no requests if they are refused', async () => {
    const { clock, pipeline, ends } = mail({ admission: { maxQueueLength: 10, maxInFlightBytes: 12 } });
    const outcomes = ['a', 'b'].map((id) => pipeline.submitPart({ source: LETTER, key: id }, letter(1)));
    const large = pipeline.submitPart({ source: SCAN, key: 'a' }, { scan: fp32([2], 1, 2) });
    expect(await large).toEqual(dropped('memory-full'));
    await clock.advanceTo(1000);
    await Promise.all(outcomes);
    expect(ends).toEqual([]);
    expect(pipeline.statistics.total.arrived).toBe(0);
    expect(pipeline.inFlightBytes).toBe(0);
    expect(pipeline.partCounts).toEqual({
      sources: [
        { joined: 0, missing: 0, unmatched: 2, late: 0, duplicate: 0, kept: 0, dropped: 0 },
        { joined: 0, missing: 0, unmatched: 0, late: 0, duplicate: 0, kept: 0, dropped: 1 },
      ],
      waiting: 0,
    });
  });
});

describe('clients', () => {
  it('take their parts with them while they wait', async () => {
    const { clock, pipeline } = mail();
    const gone = new Cancellation();
    const outcome = pipeline.submitPart({ source: LETTER, key: 'a' }, letter(1), { signal: gone });
    gone.abort();
    expect(await outcome).toEqual(dropped('cancelled'));
    expect([pipeline.inFlightBytes, pipeline.partCounts.waiting]).toEqual([0, 0]);
    const next = [
      pipeline.submitPart({ source: SCAN, key: 'a' }, scan(2)),
      pipeline.submitPart({ source: LETTER, key: 'a' }, letter(3)),
    ];
    await clock.advanceTo(50);
    expect((await Promise.all(next)).map(({ kind }) => kind)).toEqual(['completed', 'completed']);
  });

  it('cancel a request that has begun only if all of them go', async () => {
    const { clock, pipeline, ends } = mail();
    const [one, other] = [new Cancellation(), new Cancellation()];
    const outcomes = [
      pipeline.submitPart({ source: LETTER, key: 'a' }, letter(1), { signal: one }),
      pipeline.submitPart({ source: SCAN, key: 'a' }, scan(2), { signal: other }),
    ];
    one.abort();
    expect(pipeline.inFlight).toBe(1);
    other.abort();
    expect(pipeline.inFlight).toBe(0);
    await clock.advanceTo(50);
    expect(await Promise.all(outcomes)).toEqual([dropped('cancelled'), dropped('cancelled')]);
    expect(ends).toHaveLength(1);
  });

  it('hear at once that the server shuts down', async () => {
    const { pipeline } = mail();
    const waiting = pipeline.submitPart({ source: LETTER, key: 'a' }, letter(1));
    pipeline.beginDraining();
    const later = pipeline.submitPart({ source: SCAN, key: 'a' }, scan(1));
    expect(await Promise.all([waiting, later])).toEqual([dropped('draining'), dropped('draining')]);
    await pipeline.drained;
    expect(pipeline.inFlightBytes).toBe(0);
  });
});

describe('the newest part of a source', () => {
  const slow = (maxAgeMs: number, more: Partial<PipelineSpec> = {}) =>
    mail({
      sources: [source('letter', 'read'), source('scan', 'detect', { latest: { maxAgeMs } })],
      admission: { maxQueueLength: 10, maxInFlightBytes: 100 },
      ...more,
    });
  const sent = (pipeline: ReturnType<typeof slow>['pipeline'], place: number, inputs: TensorMap, tenant?: string) =>
    pipeline.submitPart({ source: place, key: '' }, inputs, tenant === undefined ? {} : { tenant });

  it('joins each request, which has a copy of its tensors', async () => {
    const { clock, pipeline, runners } = slow(1000);
    expect(await sent(pipeline, SCAN, scan(20))).toEqual({ kind: 'completed', output: {} });
    const both = [sent(pipeline, LETTER, letter(1)), sent(pipeline, LETTER, letter(2))];
    await clock.advanceTo(100);
    expect(await Promise.all(both)).toEqual(
      [2, 3].map((value) => ({ kind: 'completed', output: { letter: fp32([1], value), scan: fp32([1], 21) } })),
    );
    const [first, second] = runners['detect']?.batches.flat() ?? [];
    expect(first?.['scan']?.data).not.toBe(second?.['scan']?.data);
    // Only the kept part is left, and it goes with its age.
    expect(pipeline.inFlightBytes).toBe(4);
    await clock.advanceTo(1000);
    expect(pipeline.inFlightBytes).toBe(0);
  });

  it('has a maximum age; a source that stopped is named', async () => {
    const { clock, pipeline, ends } = slow(500);
    const never = await sent(pipeline, LETTER, letter(1));
    expect(never).toEqual(failed('PART_STALE', /^There is no part of scan in the last 500 ms/));
    await sent(pipeline, SCAN, scan(20));
    await clock.advanceTo(500);
    expect(await sent(pipeline, LETTER, letter(1))).toEqual(failed('PART_STALE', /scan/));
    expect(ends).toEqual([]);
    expect(pipeline.partCounts.sources).toMatchObject([{ unmatched: 2 }, { kept: 1, joined: 0 }]);
  });

  it('is that of the tenant, and goes when the server shuts down', async () => {
    const { pipeline } = slow(500);
    await sent(pipeline, SCAN, scan(20), 'red');
    expect(await sent(pipeline, LETTER, letter(1), 'blue')).toEqual(failed('PART_STALE', /scan/));
    pipeline.beginDraining();
    await pipeline.drained;
    expect(pipeline.inFlightBytes).toBe(0);
  });
});

describe('a tenant', () => {
  it('takes neither the places nor the memory of others', async () => {
    const { clock, pipeline } = mail({ admission: { maxQueueLength: 10, maxInFlightBytes: 16 } });
    const send = (tenant: string, key: string) => pipeline.submitPart({ source: LETTER, key }, letter(1), { tenant });
    const greedy = ['a', 'b', 'c'].map((key) => send('red', key));
    expect(await greedy[2]).toEqual(dropped('memory-full'));
    const other = [send('blue', 'a'), pipeline.submitPart({ source: SCAN, key: 'a' }, scan(1), { tenant: 'blue' })];
    await clock.advanceTo(50);
    expect((await Promise.all(other)).map(({ kind }) => kind)).toEqual(['completed', 'completed']);
    await clock.advanceTo(1000);
    expect((await Promise.all(greedy.slice(0, 2))).map(({ kind }) => kind)).toEqual(['failed', 'failed']);
    expect(pipeline.inFlightBytes).toBe(0);
  });
});

describe('a limit on the memory', () => {
  it('of a tenant follows that of the pipeline when it is reloaded', async () => {
    const { clock, pipeline } = mail({
      sourceJoin: { maxWaitMs: 1000, maxWaiting: 9 },
      admission: { maxQueueLength: 10, maxInFlightBytes: 16 },
    });
    const send = (key: string) => pipeline.submitPart({ source: LETTER, key }, letter(1), { tenant: 'red' });
    const before = ['a', 'b', 'c'].map(send);
    expect(await before[2]).toEqual(dropped('memory-full'));
    pipeline.setAdmission({ maxQueueLength: 10, maxInFlightBytes: 24 });
    const after = ['d', 'e'].map(send);
    expect(await after[1]).toEqual(dropped('memory-full'));
    expect(pipeline.inFlightBytes).toBe(12);
    await clock.advanceTo(1000);
    expect(pipeline.inFlightBytes).toBe(0);
  });

  const [heavy, light] = [{}, {}];

  /** A pipeline whose memory a client has filled with ten letters. */
  function full(more: Partial<PipelineSpec> = {}) {
    const bench = mail({
      sourceJoin: { maxWaitMs: 1000, maxWaiting: 99 },
      admission: { maxQueueLength: 10, maxInFlightBytes: 40 },
      ...more,
    });
    const { pipeline } = bench;
    const send = (client: object, key: string) => pipeline.submitPart({ source: LETTER, key }, letter(1), { client });
    const parked = Array.from({ length: 10 }, (_, index) => send(heavy, `heavy ${index}`));
    return { ...bench, send, parked };
  }

  it('makes a client with most of the memory give room to others, its oldest parts first, until both have as much', async () => {
    const { clock, pipeline, send, parked } = full();
    expect(await send(heavy, 'one more')).toEqual(dropped('memory-full'));
    const others = Array.from({ length: 6 }, (_, index) => send(light, `light ${index}`));
    expect(await others[5]).toEqual(dropped('memory-full'));
    expect(await Promise.all(parked.slice(0, 5))).toEqual(Array(5).fill(dropped('memory-full')));
    expect(await send(heavy, 'back')).toEqual(dropped('memory-full'));
    expect([pipeline.partCounts.waiting, pipeline.inFlightBytes]).toEqual([10, 40]);
    await clock.advanceTo(1000);
    const kinds = (await Promise.all([...parked.slice(5), ...others.slice(0, 5)])).map(({ kind }) => kind);
    expect([kinds, pipeline.inFlightBytes]).toEqual([Array(10).fill('failed'), 0]);
  });

  it('lets whole requests of other clients in, and drops no part in vain', async () => {
    const { clock, pipeline, parked } = full();
    const whole = { ...letter(10), ...scan(20) };
    expect(await pipeline.submit(whole)).toEqual(dropped('memory-full'));
    expect(await pipeline.submit(whole, { client: heavy })).toEqual(dropped('memory-full'));
    const large = { ...letter(10), scan: fp32([6], 1, 2, 3, 4, 5, 6) };
    expect(await pipeline.submit(large, { client: light })).toEqual(dropped('memory-full'));
    expect(pipeline.partCounts.waiting).toBe(10);
    const outcomes = [
      pipeline.submit(whole, { client: light }),
      pipeline.submitBatch([whole], { client: light }).then(([outcome]) => outcome),
    ];
    expect(await Promise.all(parked.slice(0, 4))).toEqual(Array(4).fill(dropped('memory-full')));
    await clock.advanceTo(100);
    expect((await Promise.all(outcomes)).map((outcome) => outcome?.kind)).toEqual(['completed', 'completed']);
    expect([pipeline.partCounts.waiting, pipeline.inFlightBytes]).toEqual([6, 24]);
  });

  it('counts newest parts, which also make room', async () => {
    const { clock, pipeline } = mail({
      sources: [source('letter', 'read'), source('scan', 'detect', { latest: { maxAgeMs: 2000 } })],
      sourceJoin: { maxWaitMs: 1000, maxWaiting: 99, by: 'key', windowMs: 50 },
      admission: { maxQueueLength: 10, maxInFlightBytes: 40 },
    });
    for (let key = 0; key < 10; key++)
      await pipeline.submitPart({ source: SCAN, key: `${key}` }, scan(key), { client: heavy });
    expect(pipeline.inFlightBytes).toBe(40);
    const answer = pipeline.submitPart({ source: LETTER, key: '9' }, letter(1), { client: light });
    await clock.advanceTo(100);
    expect(await answer).toEqual({ kind: 'completed', output: { letter: fp32([1], 2), scan: fp32([1], 10) } });
    // Its letter took the place of the first part, and its request of 8 bytes that of the second.
    expect(pipeline.inFlightBytes).toBe(32);
    const stale = pipeline.submitPart({ source: LETTER, key: '1' }, letter(1), { client: light });
    expect(await stale).toEqual(failed('PART_STALE', /scan/));
    await clock.advanceTo(2000);
    expect(pipeline.inFlightBytes).toBe(0);
  });
});

it('parts of a key meet again and again', async () => {
  const { clock, pipeline, ends } = mail({ sourceJoin: { maxWaitMs: 1000, maxWaiting: 9, by: 'key', windowMs: 50 } });
  const outcomes: Promise<PipelineOutcome>[] = [];
  for (let round = 0; round < 5; round++) {
    outcomes.push(pipeline.submitPart({ source: LETTER, key: 'camera' }, letter(round)));
    await clock.advanceTo(100 * round + 40);
    outcomes.push(pipeline.submitPart({ source: SCAN, key: 'camera' }, scan(round)));
    await clock.advanceTo(100 * (round + 1));
  }
  expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(Array(10).fill('completed'));
  expect(ends).toHaveLength(5);
});

it('every part has one outcome, and nothing stays, whatever is late, missing, repeated or cancelled', async () => {
  const { clock, pipeline, ends } = mail({ scanMayMiss: true, sourceJoin: { maxWaitMs: 100, maxWaiting: 3 } });
  const rng = new SeededRng(20);
  const outcomes: Promise<PipelineOutcome>[] = [];
  const send = (source: number, id: string) => {
    const signal = new Cancellation();
    if (rng.next() < 0.1) clock.ringAt(clock.nowMs() + 150 * rng.next(), () => signal.abort());
    outcomes.push(pipeline.submitPart({ source, key: id }, source === LETTER ? letter(1) : scan(1), { signal }));
  };
  for (let request = 0; request < 400; request++) {
    for (const source of [LETTER, SCAN, SCAN]) {
      const atMs = 20 * request + 150 * rng.next();
      if (rng.next() < 0.6) clock.ringAt(atMs, () => send(source, `r${request}`));
    }
  }
  await clock.advanceTo(20_000);
  const kinds = (await Promise.all(outcomes)).map((outcome) =>
    outcome.kind === 'failed' ? outcome.failure.code : outcome.kind === 'dropped' ? outcome.reason : outcome.kind,
  );
  const seen = new Set(kinds);
  for (const kind of ['completed', 'cancelled', 'PART_MISSING', 'PART_LATE', 'PART_DUPLICATE'])
    expect(seen).toContain(kind);
  const { sources, waiting } = pipeline.partCounts;
  const counted = sources.map(({ missing: _, ...counts }) =>
    Object.values(counts).reduce((sum, count) => sum + count, 0),
  );
  expect(counted.reduce((sum, count) => sum + count, 0)).toBe(outcomes.length);
  expect(sources.map(({ joined, missing }) => joined + missing)).toEqual([ends.length, ends.length]);
  expect([waiting, pipeline.inFlight, pipeline.inFlightBytes]).toEqual([0, 0, 0]);
});

it('a whole request has the parts of all sources', async () => {
  const { clock, pipeline, runners } = mail();
  const outcome = pipeline.submit({ ...letter(10), ...scan(20) });
  await clock.advanceTo(50);
  expect(await outcome).toMatchObject({ kind: 'completed' });
  expect([runners['read']?.batches, runners['detect']?.batches]).toEqual([[[letter(10)]], [[scan(20)]]]);
});
