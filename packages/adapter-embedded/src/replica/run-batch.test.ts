import type { TensorMap } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { runBatch } from './run-batch.js';

const item = (value: number): TensorMap => ({ x: { datatype: 'FP64', shape: [], data: Float64Array.of(value) } });
const numberIn = (given: TensorMap): number => given['x']?.data[0] as number;
const refusal = Object.assign(new Error('negative'), { code: 'INVALID_INPUT' });

describe('runBatch', () => {
  it('runs a batch in which all is well once', async () => {
    const sizes: number[] = [];
    const run = (batch: readonly TensorMap[]) => {
      sizes.push(batch.length);
      return batch;
    };
    const { items } = await runBatch({ run }, [item(1), item(2)]);
    expect(items).toEqual([item(1), item(2)].map((output) => ({ kind: 'ok', output })));
    expect(sizes).toEqual([2]);
  });

  it('runs the items of a refused batch one by one, and each once', async () => {
    const sizes: number[] = [];
    const run = (batch: readonly TensorMap[]) => {
      sizes.push(batch.length);
      if (batch.some((each) => numberIn(each) < 0)) throw refusal;
      if (batch.some((each) => numberIn(each) === 0)) throw new Error('zero');
      return batch;
    };
    const { items } = await runBatch({ run }, [item(1), item(-1), item(0)]);
    expect(items).toEqual([
      { kind: 'ok', output: item(1) },
      { kind: 'invalid-input', message: 'negative' },
      { kind: 'stage-failed', message: 'zero' },
    ]);
    expect(sizes).toEqual([3, 1, 1, 1]);
  });

  it('does not run a refused single item again', async () => {
    let runs = 0;
    const run = () => {
      runs += 1;
      throw refusal;
    };
    expect((await runBatch({ run }, [item(1)])).items).toEqual([{ kind: 'invalid-input', message: 'negative' }]);
    expect(runs).toBe(1);
  });

  it('lets the stage take the items out of its list', async () => {
    const run = (batch: readonly TensorMap[]) => (batch as TensorMap[]).splice(0);
    const { items } = await runBatch({ run }, [item(1), item(2)]);
    expect(items).toEqual([item(1), item(2)].map((output) => ({ kind: 'ok', output })));
  });

  it('takes anything that is thrown', async () => {
    const run = () => Promise.reject('a word');
    expect((await runBatch({ run }, [item(1)])).items).toEqual([{ kind: 'stage-failed', message: 'a word' }]);
  });
});
