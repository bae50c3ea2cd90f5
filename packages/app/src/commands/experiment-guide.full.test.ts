/** The guide to experiments, with its grid simulated. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { equipoise, TestFolder } from '../equipoise.test-support.js';

const GUIDE = readFileSync(fileURLToPath(new URL('../../../../docs/guide/experiments.md', import.meta.url)), 'utf8');
const blocks = [...GUIDE.matchAll(/```(\w+)\n(.*?)\n```/gs)].map(([, language = '', text = '']) => ({
  language,
  text,
}));
const textOf = (language: string, index = 0) =>
  blocks.filter((block) => block.language === language)[index]?.text ?? '';
const folder = new TestFolder();

/** Text without spacing and simulated figures. */
const gist = (text: string): string =>
  text
    .replaceAll(/[+-]?\d+(\.\d+)?/g, '#')
    .replaceAll(/[─┌┐└┘┬┴┼├┤*\s]+/g, ' ')
    .trim();
const TIMEOUT_MS = 120_000;

beforeAll(() => {
  folder.write('pipeline.yaml', textOf('yaml'));
  folder.write('grid.yaml', textOf('yaml', 1));
});

afterAll(() => folder.remove());

describe('the guide to experiments', () => {
  it('shows what is said of its grid, and goes on without simulating again', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const [, , ...args] = textOf('sh').split(' ');
    const first = await equipoise(folder.path, ...args);
    expect(first.exitCode, first.stderr).toBe(0);
    expect(gist(first.stdout.replaceAll(`${folder.path}/`, ''))).toBe(gist(textOf('text')));
    const again = await equipoise(folder.path, ...args);
    expect(again).toMatchObject({ stdout: first.stdout, stderr: '' });
  });

  it('names the files that are written', () => {
    const named = [...GUIDE.matchAll(/^\| `(\S+\.(?:csv|json|html))`/gm)].map(([, file = '']) => file);
    expect(named).toHaveLength(3);
    for (const file of named)
      expect(existsSync(join(folder.path, '.equipoise/experiments/first', file)), file).toBe(true);
  });
});
