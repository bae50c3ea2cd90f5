import type { Tensor, TensorMap } from '@equipoise/core';
import { describe, expect, it } from 'vitest';
import { type Condition, compileCondition } from './compile-condition.js';

const tensor = (datatype: Tensor['datatype'], shape: number[], data: Tensor['data']): Tensor => ({
  datatype,
  shape,
  data,
});

const output: TensorMap = {
  confidence: tensor('FP32', [], Float32Array.of(0.25)),
  scores: tensor('FP64', [3], Float64Array.of(0.1, 0.7, 0.2)),
  boxes: tensor('INT32', [2, 2], Int32Array.of(1, 2, 3, 4)),
  count: tensor('INT64', [], BigInt64Array.of(5n)),
  level: tensor('UINT8', [], Uint8Array.of(200)),
  half: tensor('FP16', [4], Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00)),
  found: tensor('BOOL', [2], Uint8Array.of(1, 0)),
  label: tensor('BYTES', [], ['cat']),
  raw: tensor('BYTES', [2], [new TextEncoder().encode('Kühe'), Uint8Array.of(0xff)]),
  none: tensor('FP32', [0, 4], new Float32Array()),
  'with-dash': tensor('FP32', [], Float32Array.of(1)),
};

function condition(text: string): Condition {
  const compiled = compileCondition(text);
  if (compiled.kind === 'invalid') throw new Error(compiled.message);
  return compiled.condition;
}

describe('a condition', () => {
  it.each([
    ['output.confidence < 0.8', true],
    ['output.confidence < 1', true],
    ['output.scores[1] > 0.5 && size(output.scores) == 3', true],
    ['output.scores.all(score, score < 0.5)', false],
    ['output.scores.exists(score, score > 0.5)', true],
    ['output.boxes[1][0] == 3', true],
    ['output.count == 5 && output.count > 4.5', true],
    ['output.level - 1 == 199', true],
    ['output.half[0] == 1.0 && output.half[1] == -2.0 && output.half[2] > 0.0 && output.half[3] > 1e300', true],
    ['output.found[0] && !output.found[1]', true],
    ['output.label in ["cat", "dog"]', true],
    ['output.raw[0] == "Kühe" && output.raw[1] == b"\\xff"', true],
    ['size(output.none) == 0 && shape.none[1] == 4', true],
    ['output["with-dash"] == 1.0', true],
    ['has(output.missing) && output.missing > 1.0', false],
    ['shape.boxes == [2, 2]', true],
    ['true', true],
  ])('%s is %s', (text, expected) => {
    expect(condition(text).holds(output)).toBe(expected);
  });

  it.each([
    ['output.missing > 1', /"output.missing > 1" cannot be decided: No such key: missing/],
    ['output.scores > 0.5', /cannot be decided: no such overload/],
    ['output.confidence', /neither true nor false/],
    ['output.scores[7] > 0.5', /cannot be decided/],
  ])('%s is an error of its own', (text, message) => {
    const decide = () => condition(text).holds(output);
    expect(decide).toThrow(expect.objectContaining({ code: 'CONDITION_FAILED' }));
    expect(decide).toThrow(message);
  });

  it.each([
    ['output.confidence <', 19, /Unexpected token: EOF/],
    ['outptu.confidence < 0.8', 0, /Unknown variable: outptu/],
    ['true && 1 + "a" == 2', 8, /no such overload: int \+ string/],
    ['"text"', 0, /true or false, found one of type string/],
    ['', 0, /expected a CEL expression/],
  ])('%j is told with its place', (text, offset, message) => {
    expect(compileCondition(text)).toEqual({ kind: 'invalid', offset, message: expect.stringMatching(message) });
  });

  it('reads no tensor that it does not name', () => {
    const untouched = new Proxy(new Float32Array(4), {
      get: () => {
        throw new Error('read');
      },
    });
    const given = { ...output, image: tensor('FP32', [4], untouched) };
    expect(condition('output.confidence < 0.8').holds(given)).toBe(true);
  });
});
