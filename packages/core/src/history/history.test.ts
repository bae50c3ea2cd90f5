import { describe, expect, it } from 'vitest';
import { stageId } from '../model/ids.js';
import { HISTORY_SECONDS, History } from './history.js';
import {
  type HistoryShape,
  type PipelineField,
  placeOf,
  placeOfStage,
  rowWidth,
  type StageField,
} from './history-layout.js';

const shape: HistoryShape = { stageIds: [stageId('a')], edges: 0 };

function row(fields: Partial<Record<PipelineField, number>>, queueLength = 0): Float32Array {
  const filled = new Float32Array(rowWidth(shape));
  for (const [field, value] of Object.entries(fields)) filled[placeOf(field as PipelineField)] = value;
  filled[placeOfStage(0, 'queueLength')] = queueLength;
  return filled;
}

describe('a history', () => {
  it('keeps the last hour, oldest first', () => {
    const history = new History(shape);
    for (let second = 1; second <= HISTORY_SECONDS + 50; second++)
      history.append(1000 * second, row({ arrived: second }));
    const all = history.window();
    expect([all.length, all.atEpochMs(0), all.figure(0, 'arrived')]).toEqual([HISTORY_SECONDS, 51_000, 51]);
    expect(all.figure(HISTORY_SECONDS - 1, 'arrived')).toBe(HISTORY_SECONDS + 50);
  });

  it.each([
    ['after the start and up to the end', { fromEpochMs: 2000, toEpochMs: 4000 }, [3, 4]],
    ['before all', { toEpochMs: 0 }, []],
    ['after all', { fromEpochMs: 9000 }, []],
    ['that ends before it begins', { fromEpochMs: 4000, toEpochMs: 2000 }, []],
    ['without ends', {}, [1, 2, 3, 4, 5]],
  ])('gives the seconds of a range %s', (_, range, seconds) => {
    const history = new History(shape);
    for (let second = 1; second <= 5; second++) history.append(1000 * second, row({ arrived: second }));
    const found = history.window(range);
    expect(Array.from({ length: found.length }, (_, i) => found.figure(i, 'arrived'))).toEqual(seconds);
  });

  it('keeps its order and its distances when the clock is set back', () => {
    const history = new History(shape);
    for (const atEpochMs of [4000, 5000, 2000, 3000, 6000]) history.append(atEpochMs, row({}));
    expect([...history.window().data.atEpochMs]).toEqual([0, 1000, 2000, 3000, 6000]);
  });

  it('joins seconds to points: means of rates, maxima of latencies and queues, and the last value of all else', () => {
    const history = new History(shape);
    history.append(
      1000,
      row({ arrived: 10, completed: 8, 'queue-full': 2, p99Ms: 90, accuracy: 0.5, usedCores: 1 }, 7),
    );
    history.append(
      2000,
      row({ arrived: 20, completed: 20, late: 4, p99Ms: 30, accuracy: 0.75, usedCores: 2, plannedCores: 3 }, 1),
    );
    const unknown = { p50Ms: Number.NaN, p99Ms: Number.NaN, accuracy: Number.NaN, plannedCores: Number.NaN };
    history.append(3000, row({ arrived: 4, completed: 4, ...unknown }));
    const window = history.window();
    const [first, second, ...more] = window.points(2);
    expect([window.stepMs(2), more]).toEqual([2000, []]);
    expect(first).toMatchObject({ atEpochMs: 2000, arrivalRps: 15, completedRps: 14, lateRps: 2, p99Ms: 90 });
    expect(first).toMatchObject({ drops: { 'queue-full': 1 }, accuracy: 0.75, cpuCores: { used: 1.5, planned: 3 } });
    expect(first?.stages[stageId('a')]).toMatchObject({ queueLength: 7 });
    expect(second).toMatchObject({ atEpochMs: 3000, arrivalRps: 4, p50Ms: null, p99Ms: null, drops: {} });
    expect(second).not.toHaveProperty('accuracy');
    expect(second?.cpuCores).toEqual({ used: 0 });
    expect(window.points(100)).toHaveLength(3);
  });

  it('has the batches, drops and cores of each stage', () => {
    const history = new History(shape);
    const stage = (fields: Readonly<Record<string, number>>) => {
      const filled = row({});
      for (const [field, value] of Object.entries(fields)) filled[placeOfStage(0, field as StageField)] = value;
      return filled;
    };
    history.append(1000, stage({ batches: 2, items: 6, dropped: 1, batchLimit: 4, cpuCores: 2 }));
    history.append(2000, stage({ batches: 1, items: 6, dropped: 0, batchLimit: 8, cpuCores: 3.5 }));
    const [point, ...others] = history.window().points(1);
    expect(others).toEqual([]);
    expect(point?.stages[stageId('a')]).toMatchObject({
      ...{ batchSize: 4, batchLimit: 8, batchFill: 0.5, droppedRps: 0.5, cpuCores: 3.5 },
    });
    history.append(3000, stage({}));
    expect(history.window({ fromEpochMs: 2000 }).points(1)[0]?.stages[stageId('a')]).not.toHaveProperty('batchSize');
    history.append(4000, stage({ batches: 1, items: 1, batchLimit: 1 }));
    const afterChange = history.window().points(1)[0]?.stages[stageId('a')];
    expect(afterChange).toMatchObject({ batchLimit: 1, batchSize: 3.25 });
    expect(afterChange).not.toHaveProperty('batchFill');
  });
});
