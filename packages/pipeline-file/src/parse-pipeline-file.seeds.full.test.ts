/** Any text gives a spec, or problems at positions in the text. Core can serve every valid spec. */
import { servingGraph } from '@equipoise/core/graph';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Loose, parse, parseChanged, validDocument } from './pipeline.test-support.js';

const SEED = 20_261_125;
/** Runs of a property; the quick tier does a fifth of them. */
const runs = (all: number): number => (process.env['EQUIPOISE_SEEDS'] === 'all' ? all : all / 5);

function expectSound(text: string): void {
  const result = parse(text);
  if (result.kind === 'valid') {
    expect(JSON.parse(JSON.stringify(result.spec))).toEqual(result.spec);
    return;
  }
  expect(result.problems.length).toBeGreaterThan(0);
  const lines = text.split('\n');
  let last = 0;
  for (const { line, column, message } of result.problems) {
    expect(line).toBeGreaterThanOrEqual(last);
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
    expect(message).not.toMatch(/undefined|\[object/);
    last = line;
  }
}

test('any text', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), expectSound), {
    seed: SEED,
    numRuns: runs(500),
  });
});

test('any YAML-like text', () => {
  const piece = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '\n',
    '  ',
    '[',
    ']',
    '{',
    '}',
    ', ',
    '&x ',
    '*x',
    '!t ',
    '<<',
    '"',
    "'",
    '|',
    '>',
    '#',
    '?',
    '~',
    '1',
    '\t',
    '---',
    '__proto__',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => expectSound(pieces.join(''))),
    { seed: SEED, numRuns: runs(2000) },
  );
});

test('any JSON', () => {
  fc.assert(fc.property(fc.json(), expectSound), { seed: SEED, numRuns: runs(500) });
});

test('a valid file with one character changed', () => {
  const text = JSON.stringify(validDocument(), null, 1);
  const change = fc.tuple(fc.nat(text.length - 1), fc.nat(2), fc.string({ maxLength: 2 }));
  fc.assert(
    fc.property(change, ([at, removed, added]) => expectSound(text.slice(0, at) + added + text.slice(at + removed))),
    { seed: SEED, numRuns: runs(1000) },
  );
});

/** Paths to every value below `value`. */
function pathsIn(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  const entries = Array.isArray(value)
    ? value.map((each, index) => [index, each] as const)
    : Object.entries(value ?? {});
  if (typeof value !== 'object') return [path];
  return [path, ...entries.flatMap(([key, each]) => pathsIn(each, [...path, key]))];
}

test('a valid file with any value in place of another', () => {
  const paths = pathsIn(validDocument()).filter((path) => path.length > 0);
  const value = fc.oneof(
    fc.constantFrom(0, -1, 0.5, 1e300, '', 'detect', '8', '__proto__', null, true, [], {}, [null], [[]], { name: 'x' }),
    fc.jsonValue({ maxDepth: 2 }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...paths), value), { minLength: 1, maxLength: 3 }), (changes) => {
      const document: Loose = validDocument();
      for (const [path, replacement] of changes) {
        let container = document;
        for (const step of path.slice(0, -1)) container = container?.[step];
        if (typeof container === 'object' && container !== null)
          container[path.at(-1) ?? ''] = structuredClone(replacement);
      }
      expectSound(JSON.stringify(document));
    }),
    { seed: SEED, numRuns: runs(1500) },
  );
});

test('a valid graph can be served', () => {
  const stages = ['a', 'b', 'c', 'd', 'e'];
  const kind = fc.constantFrom(
    {},
    {},
    { fanOut: { expected: 2 } },
    { join: 'all' },
    { join: 'any' },
    { join: { quorum: 2 } },
    { when: { condition: 'output.x > 0', probability: 0.3 } },
    { fanOut: { expected: 2 }, when: { condition: 'true', probability: 0.3 } },
  );
  const edge = fc.record({ from: fc.constantFrom(...stages), to: fc.constantFrom(...stages), kind });
  let valid = 0;
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 6 }), (edges) => {
      const result = parseChanged((spec) => {
        const { variants } = spec.stages[2];
        spec.stages = stages.map((name) => ({ name, kind: 'transform', variants }));
        spec.edges = edges.map(({ from, to, kind: fields }) => ({ from, to, ...fields }));
        spec.evaluation = { module: './evaluate.ts', data: './data' };
        delete spec.sources;
        delete spec.outputs;
      });
      if (result.kind === 'invalid') return;
      valid += 1;
      expect(servingGraph(result.spec).topologicalOrder).toHaveLength(stages.length);
    }),
    { seed: SEED, numRuns: runs(2000) },
  );
  expect(valid).toBeGreaterThan(runs(100));
});
