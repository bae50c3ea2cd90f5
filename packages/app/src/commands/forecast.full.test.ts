import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const forecast = (...args: string[]) => equipoiseHere(folder.path, 'forecast', ...args);
const short = ['--bin-s', '5', '--lags', '6', '--scale', '1'];

/** Half an hour of a slow wave with a ripple, in whole requests per second. */
const wave = Array.from({ length: 1800 }, (_, s) => Math.round(60 + 30 * Math.sin(s / 90) + 4 * Math.sin(s * 1.7)));
const csv = `requests\n${wave.join('\n')}\n`;

/** Document of `--json` without durations. */
async function answer(...args: string[]): Promise<Readonly<Record<string, unknown>>> {
  const ended = await forecast(...args, ...short, '--json');
  expect(ended.exitCode, ended.stderr).toBe(0);
  return JSON.parse(ended.stdout, (key, value) => (/Ms$/.test(key) ? undefined : value));
}

beforeAll(() => {
  folder.write('wave.csv', csv);
  writeFileSync(join(folder.path, 'wave.csv.gz'), gzipSync(csv));
  folder.write('short.csv', 'requests\n5\n6\n7\n');
  folder.write('bad.csv', 'requests\n5\nsix\n');
});

afterAll(() => folder.remove());

describe('equipoise forecast', () => {
  it('selects a method and says how it fares: the same for the same seed, compressed or not', async () => {
    const [first, again] = await Promise.all([answer('wave.csv'), answer('wave.csv.gz')]);
    expect(again).toEqual(first);
    const { selected, methods, inForce } = first as {
      selected: string;
      methods: { name: string; smapeFraction: number; coverageFraction: number }[];
      inForce: { smapeFraction: number };
    };
    const names = methods.map(({ name }) => name);
    expect(names).toContain(selected);
    expect(names).toEqual(
      expect.arrayContaining(['ewma', 'quantile-regression', 'boosted-trees', 'lag-network', 'lstm']),
    );
    for (const { smapeFraction } of [...methods, inForce]) {
      expect(smapeFraction).toBeGreaterThan(0);
      expect(smapeFraction).toBeLessThan(0.5);
    }
  });

  it('prints a table and a plot, and draws the last forecasts', async () => {
    const ended = await forecast('wave.csv', ...short, '--svg', 'wave.svg');
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/lstm/);
    expect(ended.stdout).toMatch(/had the least pinball loss/);
    expect(ended.stdout).toMatch(/●/);
    expect(readFileSync(join(folder.path, 'wave.svg'), 'utf8')).toMatch(/^<svg/);
  });

  it('says what keeps small counts of a file', async () => {
    const ended = await forecast('wave.csv', '--scale', '0.001');
    expect(ended).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('Or give --scale 1:') });
  });

  it.each([
    ['a trace that is too short', ['short.csv'], 2, 'WRONG_USAGE', /Give a longer trace/],
    ['a line that is no count', ['bad.csv'], 3, 'FILE_UNREADABLE', /bad\.csv:3/],
    ['a file that is not there', ['none.csv'], 3, 'FILE_NOT_FOUND', /shipped loads are/],
  ])('refuses %s', async (_, args, exitCode, code, message) => {
    const ended = await forecast(...args, ...short);
    expect(ended.exitCode).toBe(exitCode);
    expect(ended.stderr).toContain(code);
    expect(ended.stderr).toMatch(message);
  });
});
