import { AppError, stageId, type Tensor, type TensorMap } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
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

describe('large tensors that a replica gave', () => {
  it('are freed once the next stage has answered, and those of the request are not', async () => {
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
    expect([...given.map(bytesOf), bytesOf(request)]).toEqual([0, 4 * SIZE]);
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
