import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const guideBlocks = (page: string) => {
  const guide = readFileSync(fileURLToPath(new URL(`../../../../docs/guide/${page}`, import.meta.url)), 'utf8');
  return [...guide.matchAll(/```(\w+)\n(.*?)\n```/gs)].map(([, language = '', text = '']) => ({ language, text }));
};
const folder = new TestFolder();

/** Text without spacing and simulated figures. */
const gist = (text: string): string =>
  text
    .replaceAll(/\d+(\.\d+)?/g, '#')
    .replaceAll(/[▁-█]+/g, '▁')
    .replaceAll(/[─┌┐└┘┬┴┼├┤·\s]+/g, ' ')
    .trim();

beforeAll(() => {
  folder.write('pipeline.yaml', guideBlocks('simulating.md').find(({ language }) => language === 'yaml')?.text ?? '');
});

afterAll(() => folder.remove());

/** Guides that use the pipeline of the first one. */
describe.each(['simulating.md', 'sweeping.md'])('the guide %s', (page) => {
  const blocks = guideBlocks(page);
  const shown = blocks.flatMap(({ language, text }, index) => {
    const next = blocks[index + 1];
    return language === 'sh' && next?.language === 'text' ? [{ commands: text, output: next.text }] : [];
  });

  it('shows several commands', () => {
    expect(shown.length).toBeGreaterThan(1);
  });

  // In order: later commands read the plans of earlier ones.
  it.each(shown)('shows what is said to $commands', async ({ commands, output }) => {
    let said = '';
    for (const command of commands.split('\n')) {
      const [, , ...args] = command.split(' ');
      const ended = await equipoiseHere(folder.path, ...args);
      expect(ended.exitCode, ended.stderr).toBe(0);
      said = ended.stdout.replaceAll(`${folder.path}/`, '');
    }
    expect(gist(said)).toBe(gist(output));
  });
});
