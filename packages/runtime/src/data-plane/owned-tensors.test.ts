import { AppError, stageId, type Tensor, type TensorMap } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OwnedTensors } from './owned-tensors.js';
import { fanOutTensors } from './payload-algebra.js';
import { PipelineRunner } from './pipeline-runner.js';
import { edge, type ItemScript, ScriptedRunner, serve, servingSpec } from './serving-bench.test-support.js';

const SIZE = 16 * 1024;
const image = (value: number): Tensor => ({
  datatype: 'FP32',
  shape: [1, SIZE],
  data: new Float32Array(SIZE).fill(value),
});
const dataOf = ({ x }: TensorMap) => (x as Tensor).data as Float32Array;
const bytesOf = (tensors: TensorMap) => dataOf(tensors).byteLength;
const firstOf = (tensors: TensorMap) => dataOf(tensors)[0];

class GivingRunner extends ScriptedRunner {
  readonly givesTensors = true;
}

class KeepingRunner extends ScriptedRunner {
  readonly keepsTensors = true;
}

/** A chain a → b; `given` holds what stage a answered. */
function chain(Runner: typeof ScriptedRunner, Next: typeof ScriptedRunner, script: ItemScript, more = {}) {
  const clock = new ManualClock();
  const pipeline = new PipelineRunner({
    spec: servingSpec(['a', 'b'], more),
    hostCores: Number.POSITIVE_INFINITY,
    clock,
  });
  const given: TensorMap[] = [];
  const wait = () => clock.sleep(10);
  const first: ItemScript = (item) => {
    given.push({ x: image(1 + Number(firstOf(item))) });
    return given.at(-1) as TensorMap;
  };
  serve(pipeline, 'a', new Runner(first, wait));
  const next = new Next(script, wait);
  serve(pipeline, 'b', next);
  return { clock, pipeline, given, next };
}

describe('large tensors of a replica', () => {
  it('are freed once the next stage has answered, as those of the request are', async () => {
    const seen: unknown[] = [];
    const { clock, pipeline, given } = chain(GivingRunner, ScriptedRunner, (item) => {
      seen.push(firstOf(item), ...given.map(bytesOf));
      return { x: image(7) };
    });
    const request = { x: image(1) };
    const outcome = pipeline.submit(request);
    await clock.advanceTo(100);
    expect(await outcome).toEqual({ kind: 'completed', output: { x: image(7) } });
    expect(seen).toEqual([2, 4 * SIZE]);
    expect([...given.map(bytesOf), bytesOf(request)]).toEqual([0, 0]);
  });

  it('stay for a retry on another replica', async () => {
    const seen: unknown[] = [];
    const { clock, pipeline, given, next } = chain(GivingRunner, ScriptedRunner, (item) => {
      seen.push(firstOf(item));
      return { x: image(7) };
    });
    const outcome = pipeline.submit({ x: image(1) });
    await clock.advanceTo(15);
    next.lose(new AppError('REPLICA_LOST', 'gone'), true);
    await clock.advanceTo(25);
    expect([seen, given.map(bytesOf)]).toEqual([[], [4 * SIZE]]);
    next.restore();
    serve(pipeline, 'b', next);
    await clock.advanceTo(100);
    expect([(await outcome).kind, seen, given.map(bytesOf)]).toEqual(['completed', [2], [0]]);
  });

  it('are freed only if nothing else may hold them, or still read them', async () => {
    const pass: ItemScript = () => ({ x: image(7) });
    for (const [Runner, Next] of [
      [ScriptedRunner, ScriptedRunner],
      [GivingRunner, KeepingRunner],
    ] as const) {
      const { clock, pipeline, given } = chain(Runner, Next, pass);
      const outcome = pipeline.submit({ x: image(1) });
      await clock.advanceTo(100);
      expect((await outcome).kind).toBe('completed');
      expect(given.map(bytesOf)).toEqual([4 * SIZE]);
    }
  });

  it.each([
    ['under their names', {}],
    [
      'under two names each',
      {
        inputs: [
          { name: 'x', output: 'x' },
          { name: 'y', output: 'x' },
        ],
      },
    ],
  ])('and fan out are freed once the next stage has answered all items, %s', async (_, more) => {
    const clock = new ManualClock();
    const edges = [edge('a', 'b', { fanOut: { expected: 2 }, ...more }), edge('b', 'c', { join: 'all' })];
    const pipeline = new PipelineRunner({
      spec: servingSpec(['a', 'b', 'c'], { edges }),
      ...{ hostCores: Number.POSITIVE_INFINITY, clock },
    });
    const wait = () => clock.sleep(10);
    const given = { x: { ...image(2), shape: [2, SIZE / 2] } };
    const seen: unknown[] = [];
    const answer: ItemScript = (item) => {
      seen.push(firstOf(item), bytesOf(given));
      return { x: image(7) };
    };
    serve(pipeline, 'a', new GivingRunner(() => given, wait));
    serve(pipeline, 'b', new ScriptedRunner(answer, wait));
    serve(pipeline, 'c', new ScriptedRunner(answer, wait));
    const outcome = pipeline.submit({ x: image(1) });
    await clock.advanceTo(100);
    expect((await outcome).kind).toBe('completed');
    expect(seen).toEqual([2, 4 * SIZE, 2, 4 * SIZE, 7, 0]);
  });

  it('that are also an answer reach the client', async () => {
    const { clock, pipeline } = chain(GivingRunner, ScriptedRunner, () => ({ y: image(7) }), {
      edges: [edge('a', 'b')],
      outputs: [{ from: stageId('a') }, { from: stageId('b') }],
    });
    const outcome = pipeline.submit({ x: image(1) });
    await clock.advanceTo(100);
    expect(await outcome).toEqual({ kind: 'completed', output: { x: image(2), y: image(7) } });
  });
});

describe('large tensors of a request', () => {
  const copying = new ScriptedRunner(
    () => ({}),
    async () => undefined,
  );

  it('stay if an edge passes them on', async () => {
    const { clock, pipeline } = chain(GivingRunner, ScriptedRunner, (item) => ({ x: item['again'] as Tensor }), {
      edges: [edge('a', 'b', { inputs: [{ name: 'again', source: 'x' }] })],
    });
    const request = { x: image(5) };
    const outcome = pipeline.submit(request);
    await clock.advanceTo(100);
    expect(await outcome).toEqual({ kind: 'completed', output: { x: image(5) } });
    expect(bytesOf(request)).toBe(4 * SIZE);
  });

  it('leave small ones, whose memory other requests may share', () => {
    const owned = new OwnedTensors();
    const shared = new Uint8Array(4 * SIZE);
    const id: Tensor = { datatype: 'UINT8', shape: [4], data: shared.subarray(8, 12) };
    const payload = { x: image(1), id };
    owned.note([payload]);
    owned.free(payload);
    expect([bytesOf(payload), shared.byteLength]).toEqual([0, 4 * SIZE]);
  });

  it('stay if a runner that sends them was lost, because it may still send', () => {
    const owned = new OwnedTensors();
    const payload = { x: image(1) };
    owned.note([payload]);
    expect(
      owned.handOver(
        payload,
        new KeepingRunner(
          () => ({}),
          async () => undefined,
        ),
      ),
    ).toBe(payload);
    expect(owned.handOver(payload, copying)).toEqual(payload);
    owned.free(payload);
    expect(bytesOf(payload)).toBe(4 * SIZE);
  });
});

it('no buffer is freed while a payload that was not answered has a part of it', () => {
  const ROWS = 4;
  const ELEMENTS = 4 * SIZE;
  // Payloads of a batch, each with tensors of [4, columns] from the same few buffers; they may overlap.
  const tensor = fc
    .record({
      buffer: fc.nat({ max: 1 }),
      at: fc.nat({ max: 3 }).map((quarter) => (quarter * ELEMENTS) / 4),
      columns: fc.constantFrom(0, 1, ELEMENTS / 16, ELEMENTS / 8),
    })
    .filter(({ at, columns }) => at + ROWS * columns <= ELEMENTS);
  const payload = fc.record({ tensors: fc.array(tensor, { minLength: 1, maxLength: 3 }), isCut: fc.boolean() });
  let freed = 0;
  fc.assert(
    fc.property(fc.array(payload, { minLength: 1, maxLength: 4 }), fc.infiniteStream(fc.nat()), (batch, picks) => {
      const buffers = [0, 1].map(() => new Uint8Array(ELEMENTS).fill(1).buffer);
      const payloads = batch.map(({ tensors }) =>
        Object.fromEntries(
          tensors.map(({ buffer, at, columns }, name): [string, Tensor] => [
            `t${name}`,
            {
              datatype: 'UINT8',
              shape: [ROWS, columns],
              data: new Uint8Array(buffers[buffer] as ArrayBuffer, at, ROWS * columns),
            },
          ]),
        ),
      );
      const owned = new OwnedTensors();
      owned.note(payloads);
      const left = payloads.flatMap((each, number) => (batch[number]?.isCut ? fanOutTensors(each, 'a') : [each]));
      const lengths = (parts: readonly TensorMap[]) =>
        parts.map((part) => Object.values(part).map(({ data }) => (data as Uint8Array).byteLength));
      while (left.length > 0) {
        const [answered] = left.splice((picks.next().value as number) % left.length, 1);
        const before = lengths(left);
        owned.free(answered as TensorMap);
        expect(lengths(left)).toEqual(before);
      }
      freed += buffers.filter(({ byteLength }) => byteLength === 0).length;
    }),
    { seed: 23, numRuns: 300 },
  );
  expect(freed).toBeGreaterThan(30);
});
