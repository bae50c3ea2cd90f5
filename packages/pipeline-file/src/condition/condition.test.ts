import type { Tensor, TensorMap } from '@equipoise/core/model';
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

describe('the work of a condition', () => {
  const ten = '[1,2,3,4,5,6,7,8,9,10]';
  const nested = (loop: (name: string, body: string) => string, depth: number, inner = 'true'): string =>
    depth === 0 ? inner : loop(`v${depth}`, nested(loop, depth - 1, inner));

  it.each<[string, (name: string, body: string) => string]>([
    ['all', (name, body) => `${ten}.all(${name}, ${body})`],
    ['exists', (name, body) => `!${ten}.exists(${name}, !(${body}))`],
    ['exists_one', (name, body) => `!${ten}.exists_one(${name}, !(${body}))`],
    ['filter', (name, body) => `size(${ten}.filter(${name}, ${body})) == 10`],
    ['map', (name, body) => `size(${ten}.map(${name}, ${body})) == 10`],
  ])('is counted in nested loops: %s', (_, loop) => {
    expect(condition(nested(loop, 3)).holds(output)).toBe(true);
    expect(() => condition(nested(loop, 8)).holds(output)).toThrow('it takes more than 250000 steps');
  });

  it('is counted for each evaluation', () => {
    const whole = condition(nested((name, body) => `${ten}.all(${name}, ${body})`, 5));
    for (let times = 0; times < 10; times++) expect(whole.holds(output)).toBe(true);
  });

  it('is not that of a regular expression', () => {
    expect(compileCondition('true && output.label.matches("^(a+)+$")')).toEqual({
      kind: 'invalid',
      offset: 8,
      message: expect.stringMatching(/without regular expressions, found `matches`/),
    });
    expect(condition('output.label.contains("a") && output["label"] != "matches"').holds(output)).toBe(true);
  });

  describe('of texts is counted by their length', () => {
    const long = 'a'.repeat(64_000);
    const texts: TensorMap = {
      text: tensor('BYTES', [], [new TextEncoder().encode(long)]),
      short: tensor('BYTES', [], ['b']),
      raw: tensor('BYTES', [], [new Uint8Array(64_000).fill(0xff)]),
      many: tensor('BYTES', [3], [long, long, 'b']),
    };
    const stepsOf = (text: string): number => {
      const compiled = condition(text);
      compiled.holds(texts);
      return compiled.work;
    };
    /** Steps of one pass over the long text. */
    const pass = 2000;

    it.each([
      ['output.short == "b"', 0],
      ['has(output.text)', 1],
      ['output.text != "b"', 2],
      ['output.text < "b"', 2],
      ['output.text.contains("a")', 2],
      ['output.text.startsWith("a")', 2],
      ['size(output.text) == 64000', 2],
      ['output.raw.size() == 64000', 2],
      ['output.text.upperAscii() != "A"', 3],
      ['(output.short + output.text).endsWith("a")', 3],
      // The type of a list is that of its first entry, which is read for it.
      ['output.short in output.many', 3],
      ['output.many.exists(text, text.contains("b"))', 4],
      ['output.text.contains("b".lowerAscii()) || output.text.contains("c") || true', 3],
      ['output.text.lastIndexOf("ba") == -1', 4],
      ['output.text.split("b").size() == 1', 34],
    ])('%s: passes %d', (text, passes) => {
      const steps = stepsOf(text);
      expect(steps).toBeGreaterThanOrEqual(passes * pass);
      expect(steps).toBeLessThan(passes * pass + 100);
    });

    it.each([
      ['in nested loops', `${ten}.all(a, ${ten}.all(b, output.text.contains("a") && output.text.contains("aa")))`],
      ['of entries that a loop reads', `${ten}.all(a, ${ten}.all(b, "c" in output.many || true))`],
      ['of a long text that is searched for', 'output.text.contains("b" + output.text)'],
      ['of a list that is made', `${ten}.all(a, output.text.split("").size() == 64000)`],
      ['of a list that is searched', '[output.many[0].split("")].all(words, words.all(word, "b" in words || true))'],
      ['of a duration', 'duration(output.text) > duration("1s")'],
    ])('%s, and bounded', (_, text) => {
      expect(() => condition(text).holds(texts)).toThrow('it takes more than 250000 steps');
    });

    it('and a loop over a tensor ends at the limit', () => {
      const endless = condition(`output.rows.all(row, ${nested((name, body) => `${ten}.all(${name}, ${body})`, 3)})`);
      const rows = tensor('FP32', [2 ** 40, 0], new Float32Array());
      expect(() => endless.holds({ rows })).toThrow('it takes more than 250000 steps');
      expect(endless.work).toBeLessThan(251_000);
    });
  });
});

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

  it.each([
    ['output.rows.size() > 3 && output.rows[7].size() == 0', true],
    ['size(output.rows) == 3', false],
    ['output.rows.exists(row, size(row) == 0)', true],
    ['output.rows == output.rows', true],
  ])('%s costs nothing on 2^40 rows of nothing', (text, expected) => {
    const started = process.cpuUsage();
    expect(condition(text).holds({ rows: tensor('FP32', [2 ** 40, 0], new Float32Array()) })).toBe(expected);
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(500);
  });

  it.each([
    'output.rows.all(row, size(row) == 0)',
    'output.scores.all(a, output.scores.all(b, output.scores.all(c, c > 0.0)))',
    'output.rows.filter(row, size(row) > 0).size() == 0',
    '7 in output.rows',
  ])('%s is given up when it reads too much', (text) => {
    const rows = tensor('FP32', [2 ** 40, 0], new Float32Array());
    const scores = tensor('FP64', [200], new Float64Array(200).fill(1));
    expect(() => condition(text).holds({ rows, scores })).toThrow(
      expect.objectContaining({
        code: 'CONDITION_FAILED',
        message: expect.stringMatching(/reads more than 50000 entries/),
      }),
    );
  });

  it.each([
    ['output.boxes == [[1, 2], [3, 4]]', true],
    ['output.boxes + [[5, 6]] == [[1, 2], [3, 4], [5, 6]]', true],
    ['[0.1] + output.scores == [0.1, 0.1, 0.7, 0.2]', true],
    ['0.7 in output.scores', true],
    ['output.boxes.map(box, box[0] + box[1]) == [3, 7]', true],
    ['output.scores.filter(score, score > 0.15).size() == 2', true],
    ['output.scores.exists_one(score, score > 0.5)', true],
    ['output.raw.exists(text, text == "Kühe")', true],
    ['output.boxes[1] == output.boxes[1]', true],
    ['type(output.boxes) == list', true],
  ])('%s reads a tensor as the list that it is', (text, expected) => {
    expect(condition(text).holds(output)).toBe(expected);
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
