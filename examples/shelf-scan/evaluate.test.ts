import { fileURLToPath } from 'node:url';
import type { TensorMap } from '@equipoise/core';
import { describe, expect, it } from 'vitest';
import { type LabeledObject, loadSamples, score } from './evaluate.js';

function answer(...answers: readonly [number, number, number, string][]): TensorMap {
  return {
    labels: { datatype: 'BYTES', shape: [answers.length], data: answers.map(([, , , label]) => label) },
    centers: {
      datatype: 'FP32',
      shape: [answers.length, 2],
      data: Float32Array.from(answers.flatMap((each) => [each[0], each[1]])),
    },
    scores: { datatype: 'FP32', shape: [answers.length], data: Float32Array.from(answers, ([, , value]) => value) },
  };
}

const bag: LabeledObject = { x: 50, y: 50, side: 48, label: 8 };
const coat: LabeledObject = { x: 120, y: 60, side: 48, label: 4 };

describe('score', () => {
  it.each([
    ['all right', answer([53, 50, 0.9, 'bag'], [120, 69, 0.8, 'coat']), 1],
    ['nothing answered', answer(), 0],
    ['one missed', answer([53, 50, 0.9, 'bag']), 2 / 3],
    ['a wrong class counts twice', answer([53, 50, 0.9, 'bag'], [120, 60, 0.8, 'dress']), 0.5],
    ['farther than 10 px', answer([53, 50, 0.9, 'bag'], [120, 71, 0.8, 'coat']), 0.5],
    ['an object is taken once, by the best answer', answer([50, 50, 0.7, 'bag'], [52, 50, 0.9, 'bag']), 0.5],
    [
      'the better answer takes the object even with a wrong class',
      answer([50, 50, 0.7, 'bag'], [52, 50, 0.9, 'coat']),
      0,
    ],
  ])('%s', (_, outputs, expected) => {
    expect(score([{ outputs, label: [bag, coat] }])).toBeCloseTo(expected, 9);
  });

  it('pools the scenes and calls an empty set right', () => {
    const outputs = answer([50, 50, 0.9, 'bag']);
    expect(
      score([
        { outputs, label: [bag] },
        { outputs: answer(), label: [coat] },
      ]),
    ).toBeCloseTo(2 / 3, 9);
    expect(score([{ outputs: {}, label: [] }])).toBe(1);
  });
});

describe('loadSamples', () => {
  it('reads 200 labeled JPEG scenes', async () => {
    const samples = await loadSamples(fileURLToPath(new URL('./data', import.meta.url)));
    expect(samples).toHaveLength(200);
    const objects = samples.flatMap(({ label }) => label);
    expect(objects).toHaveLength(603);
    expect(new Set(objects.map(({ label }) => label)).size).toBe(10);
    for (const { inputs } of samples) expect([...(inputs['image']?.data.slice(0, 2) ?? [])]).toEqual([0xff, 0xd8]);
  });
});
