import { describe, expect, it } from 'vitest';
import { SharedPage } from './metrics-page.js';

const metric = (name: string, ...samples: readonly string[]) =>
  [`# HELP ${name} What ${name} counts.`, `# TYPE ${name} counter`, ...samples].join('\n');
const two = [
  metric('a_total', 'a_total{of="# HELP x"} 1', 'a_total 2'),
  metric('none'),
  metric('b_total', 'b_total 3'),
];

function shared() {
  const state = { nowMs: 0, renderings: 0 };
  const text = async () => `${two.join('\n\n')}\n# ${++state.renderings}\n`;
  const page = new SharedPage({ contentType: 'text/plain', text }, () => state.nowMs);
  const ask = async (query = '') => (await page.answer(new URLSearchParams(query))).text;
  return { state, ask };
}

describe('a page of metrics', () => {
  it('is rendered at most twice a second for all clients together', async () => {
    const { state, ask } = shared();
    for (state.nowMs = 0; state.nowMs < 3000; state.nowMs += 50) await ask();
    expect(state.renderings).toBe(6);
  });

  it('is rendered for each of those that ask seldom', async () => {
    const { state, ask } = shared();
    for (const [atMs, renderings] of [
      [0, 1],
      [5, 2],
      [999, 2],
      [1000, 3],
      [1004, 3],
      [1005, 4],
    ] as const) {
      state.nowMs = atMs;
      expect(await ask()).toContain(`# ${renderings}\n`);
    }
  });

  it('is OpenMetrics with exemplars for clients that accept it, whole or in part', async () => {
    const exemplar = { sample: 'b_total', traceId: 'abc', value: 3, atEpochMs: 1000 };
    const text = async () => `${two[0]}\n\n${two[2]}\n`;
    const page = new SharedPage({ contentType: 'text/plain', text, exemplars: () => [exemplar] });
    const open = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5';
    const all = await page.answer(new URLSearchParams(), open);
    expect(all.contentType).toMatch(/^application\/openmetrics-text/);
    expect(all.text).toMatch(/^# HELP a What .*\nb_total 3 # \{trace_id="abc"\} 3 1\.000\n# EOF\n$/s);
    const part = await page.answer(new URLSearchParams('name[]=b_total'), open);
    expect(part.text).toMatch(/^# HELP b What .*# EOF\n$/s);
    expect((await page.answer(new URLSearchParams(), 'text/plain')).contentType).toBe('text/plain');
  });

  it('is converted once for all that want some of it as OpenMetrics', async () => {
    let conversions = 0;
    const exemplars = () => {
      conversions++;
      return [];
    };
    const text = async () => `${two[0]}\n\n${two[2]}\n`;
    const page = new SharedPage({ contentType: 'text/plain', text, exemplars }, () => 0);
    const ask = async (name: string) =>
      (await page.answer(new URLSearchParams({ 'name[]': name }), 'application/openmetrics-text')).text;
    await ask('a_total');
    await ask('a_total');
    conversions = 0;
    for (let time = 0; time < 5; time++) {
      expect(await ask('b_total')).toMatch(/^# HELP b What .*\nb_total 3\n# EOF\n$/s);
      expect(await ask('a_total')).toMatch(/^# HELP a What /);
    }
    expect(conversions).toBe(0);
  });

  it('is shared by those that want some metrics of it, each once', async () => {
    const { state, ask } = shared();
    await ask();
    await ask();
    expect(await ask('name[]=b_total&name[]=a_total&name[]=elsewhere&name[]=a_total&name[]=a')).toBe(
      `${two[2]}\n# 2\n${two[0]}\n`,
    );
    expect(state.renderings).toBe(2);
  });
});
