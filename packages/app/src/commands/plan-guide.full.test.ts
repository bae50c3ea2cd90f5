import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { planned } from './plan.test-support.js';

const page = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../../docs/guide/${name}`, import.meta.url)), 'utf8');
const GUIDE = page('planning.md');
const blocks = [...GUIDE.matchAll(/```(\w+)\n(.*?)\n```/gs)].map(([, language = '', text = '']) => ({
  language,
  text,
}));
const folder = new TestFolder();

/** Text without spacing. Figures are compared, because simulations are seeded. */
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

describe('the cascade of the guide to branches', () => {
  it('is planned for the part that takes its edge, with its measured accuracy', async () => {
    const cascade = /```yaml\n(apiVersion.*?)```/s.exec(page('branches.md'))?.[1] ?? '';
    const profiled = cascade.replaceAll(
      /(variants: \[\{ name: \w+, )/g,
      '$1profile: [{ cpuCores: 1, batchSize: 1, meanMs: 8 }], ',
    );
    folder.write('cascade.yaml', profiled);
    const { document } = await planned(
      folder.path,
      ['cascade.yaml'],
      '--arrival-rps',
      '300',
      '--objective',
      'min-cost',
      '--accuracy-floor',
      '0.9',
    );
    // 300 requests per second at 8 ms each need three replicas. The large stage gets 90 requests per second.
    expect(document).toMatchObject({
      plan: {
        stages: { small: [{ replicas: 3 }], large: [{ replicas: 1 }] },
        predicted: { pas: 0.9, capacityRps: 375 },
      },
    });
  });
});
