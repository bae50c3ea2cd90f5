import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const GUIDE = readFileSync(fileURLToPath(new URL('../../../../docs/guide/simulating.md', import.meta.url)), 'utf8');
const blocks = [...GUIDE.matchAll(/```(\w+)\n(.*?)\n```/gs)].map(([, language = '', text = '']) => ({
  language,
  text,
}));
const folder = new TestFolder();

/** Text without spacing and simulated figures. */
const gist = (text: string): string =>
  text
    .replaceAll(/\d+(\.\d+)?/g, '#')
    .replaceAll(/[▁-█]+/g, '▁')
    .replaceAll(/[─┌┐└┘┬┴┼├┤·\s]+/g, ' ')
    .trim();

beforeAll(() => {
  folder.write('pipeline.yaml', blocks.find(({ language }) => language === 'yaml')?.text ?? '');
});

afterAll(() => folder.remove());

describe('the guide to simulating', () => {
  const commands = blocks.flatMap(({ language, text }, index) =>
    language === 'sh' ? [{ command: text, shown: blocks[index + 1]?.text ?? '' }] : [],
  );

  it('shows several commands', () => {
    expect(commands.length).toBeGreaterThan(2);
  });

  // In order: the second command reads the plan of the first command.
  it.each(commands)('shows what is said to $command', async ({ command, shown }) => {
    const [, , ...args] = command.split(' ');
    const ended = await equipoiseHere(folder.path, ...args);
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(gist(ended.stdout)).toBe(gist(shown));
  });
});
