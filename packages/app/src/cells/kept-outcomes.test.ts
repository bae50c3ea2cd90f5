import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { fileLines } from './file-lines.js';
import { KeptOutcomes } from './kept-outcomes.js';

const folder = new TestFolder();
afterAll(() => folder.remove());

describe('fileLines', () => {
  it.each(['', 'a', 'a\n', '\n\nb', 'grüße\n漢字\nend', `${'x'.repeat(50)}\n\n${'y'.repeat(7)}\n`])(
    'splits %j at any size of its parts',
    (text) => {
      const path = join(folder.path, folder.write('lines.txt', text));
      for (const chunkBytes of [1, 2, 3, 7, 1000]) expect([...fileLines(path, chunkBytes)]).toEqual(text.split('\n'));
    },
  );
});

describe('KeptOutcomes', () => {
  const digestOf = (i: number) => String(i).padStart(32, '0');
  const outcome = (i: number) => ({ kind: 'infeasible', message: `plan ${i}` }) as const;
  const path = join(folder.path, 'cells.jsonl');
  const all = new Set(Array.from({ length: 5 }, (_, i) => digestOf(i)));

  it('finds what it kept, passes over damage, and completes an interrupted line', () => {
    const first = new KeptOutcomes<object>(path, all);
    for (let i = 0; i < 3; i++) first.keep(digestOf(i), outcome(i));
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, `${text.slice(0, -20)}`);
    const second = new KeptOutcomes<object>(path, all);
    expect([0, 1, 2].map((i) => second.find(digestOf(i)))).toEqual([outcome(0), outcome(1), undefined]);
    second.keep(digestOf(2), outcome(2));
    const third = new KeptOutcomes<object>(path, new Set([digestOf(2)]));
    expect([0, 2].map((i) => third.find(digestOf(i)))).toEqual([undefined, outcome(2)]);
    const before = readFileSync(path, 'utf8');
    new KeptOutcomes<object>(path, all);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('names the flag of the folder that cannot be written', () => {
    const place = join(folder.path, folder.write('file', ''), 'answers.jsonl');
    const flagged = () => new KeptOutcomes<object>(place, all, '--results');
    expect(flagged).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }));
    expect(flagged).toThrow(/cannot be saved in .*: .+\. Name another folder with --results\.$/);
  });

  it.each([
    ['no outcome', /"outcome":.*\}$/, '"outcome":null}'],
    ['another outcome', /plan 1/, 'plan 7'],
    ['the digest of another input', new RegExp(digestOf(1)), digestOf(4)],
    ['no checksum', /"checksum":"\w+",/, ''],
  ])('passes over a line that is JSON with %s', (_, part, replacement) => {
    const edited = join(folder.path, 'edited.jsonl');
    writeFileSync(edited, '');
    const kept = new KeptOutcomes<object>(edited, all);
    for (const i of [0, 1, 2]) kept.keep(digestOf(i), outcome(i));
    const lines = readFileSync(edited, 'utf8').split('\n');
    lines[1] = lines[1]?.replace(part, replacement) ?? '';
    writeFileSync(edited, lines.join('\n'));
    expect(() => JSON.parse(lines[1] ?? '')).not.toThrow();
    const again = new KeptOutcomes<object>(edited, all);
    expect([0, 1, 2, 4].map((i) => again.find(digestOf(i)))).toEqual([outcome(0), undefined, outcome(2), undefined]);
  });
});
