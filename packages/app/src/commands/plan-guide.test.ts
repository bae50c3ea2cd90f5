import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { planned } from './plan.test-support.js';

const GUIDE = readFileSync(fileURLToPath(new URL('../../../../docs/guide/planning.md', import.meta.url)), 'utf8');
const blocks = [...GUIDE.matchAll(/```(\w+)\n(.*?)\n```/gs)].map(([, language = '', text = '']) => ({
  language,
  text,
}));
const folder = new TestFolder();

/** What is said, figures included (simulations are seeded), but not how wide it is set. */
const gist = (text: string): string => text.replaceAll(/[─┌┐└┘┬┴┼├┤·\s]+/g, ' ').trim();

beforeAll(() => {
  folder.write('garage.yaml', blocks.find(({ language }) => language === 'yaml')?.text ?? '');
});

afterAll(() => folder.remove());

describe('the guide to planning', () => {
  const commands = blocks.flatMap(({ language, text }, index) =>
    language === 'sh' ? [{ command: text, shown: blocks[index + 1]?.text ?? '' }] : [],
  );

  it('shows several commands', () => {
    expect(commands.length).toBeGreaterThan(3);
  });

  it.each(commands)('shows what is said to $command', async ({ command, shown }) => {
    const [, file = '', ...flags] = command.replace('npx equipoise ', '').split(' ');
    const paths = flags.map((flag) => (flag.endsWith('.svg') ? `${folder.path}/${flag}` : flag));
    const { text } = await planned(folder.path, [file], ...paths);
    expect(gist(text.replaceAll(`${folder.path}/`, ''))).toBe(gist(shown));
  });
});
