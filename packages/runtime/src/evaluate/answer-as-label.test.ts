import type { ShadowSpec, Tensor, TensorMap } from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { answerAsLabel } from './answer-as-label.js';
import { metricScore } from './metric-score.js';

const fp32 = (shape: readonly number[], ...values: number[]): Tensor => ({
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});
const text = (...values: string[]): Tensor => ({
  datatype: 'BYTES',
  shape: [values.length],
  data: values.map((value) => new TextEncoder().encode(value)),
});
const boxes = (...corners: number[]) => ({ boxes: fp32([corners.length / 4, 4], ...corners) });
const boxF1 = { kind: 'box-f1', output: 'boxes' } as const;

const cases: readonly [string, ShadowSpec['metric'], TensorMap, TensorMap, number][] = [
  ['equal best classes', { kind: 'accuracy' }, { p: fp32([3], 0.1, 0.7, 0.2) }, { p: fp32([3], 0.3, 0.4, 0.3) }, 1],
  ['other best classes', { kind: 'accuracy' }, { p: fp32([3], 0.1, 0.7, 0.2) }, { p: fp32([3], 0.5, 0.4, 0.1) }, 0],
  ['scores and the number of a class', { kind: 'accuracy' }, { p: fp32([2], 0.1, 0.9) }, { c: fp32([1], 1) }, 1],
  ['names of classes', { kind: 'accuracy', output: 'c' }, { c: text('spam') }, { c: text('ham'), d: text('x') }, 0],
  ['a class among the best', { kind: 'top-k', k: 2 }, { p: fp32([3], 0.1, 0.7, 0.2) }, { c: fp32([1], 2) }, 1],
  ['characters', { kind: 'cer' }, { t: text('one two') }, { t: text('one', 'tvo') }, 1 - 1 / 7],
  ['a text without an answer', { kind: 'wer' }, { t: text('') }, { t: text('one') }, 0],
  ['boxes', boxF1, boxes(0, 0, 2, 2, 5, 5, 7, 7), boxes(0, 0, 2, 2), 2 / 3],
  [
    'boxes of classes',
    { ...boxF1, boxClasses: 'kinds' },
    { ...boxes(0, 0, 2, 2), kinds: text('cat') },
    { ...boxes(0, 0, 2, 2), kinds: text('dog') },
    0,
  ],
  ['numbers', { kind: 'mae', scale: 10 }, { n: fp32([2], 1, 3) }, { n: fp32([2], 2, 5) }, 1 - 1.5 / 10],
];

it.each(cases)('compares %s', (_, metric, answer, shadow, score) => {
  const label = answerAsLabel(metric, shadow);
  expect(metricScore(metric)([{ outputs: answer, label }])).toEqual(expect.closeTo(score, 6));
});

it('refuses an answer without the tensor', () => {
  expect(() => answerAsLabel({ kind: 'accuracy', output: 'p' }, { q: fp32([1], 1) })).toThrow(/is not in the answer/);
});
