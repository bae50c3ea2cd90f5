import { describe, expect, it } from 'vitest';
import { metricSamples, readRouterPage } from './router-page.js';
import { page, pageText } from './router-pages.test-support.js';

describe('metricSamples', () => {
  it('reads names, labels and values, and passes over all else', () => {
    const text = [
      '# HELP a {b="c"} 1',
      'a 1',
      'a{x="1"} 2.5e3 1700000000',
      'a{x="with \\"quotes\\", commas and \\\\",y="line\\nbreak"} +Inf',
      'ab{x="1"} 9',
      'a',
      '',
      'a{x="1" 3 broken',
    ].join('\n');
    expect(metricSamples(text, new Set(['a']))).toEqual([
      { name: 'a', labels: {}, value: 1 },
      { name: 'a', labels: { x: '1' }, value: 2500 },
      { name: 'a', labels: { x: 'with "quotes", commas and \\', y: 'line\nbreak' }, value: Number.POSITIVE_INFINITY },
    ]);
  });
});

describe('readRouterPage', () => {
  it('reads all that a loop needs', () => {
    const over = { arrived: 100, completed: [40, 30, 5], dropped: 7, queue: 3, latest: [2, 5, 11] } as const;
    expect(readRouterPage(pageText(over), 'shelf')).toEqual(page(over));
  });

  it('knows how bursty requests are only where the router does', () => {
    expect(readRouterPage(pageText({ dispersion: [1.5, 4] }), 'shelf')?.burstiness).toEqual({
      ...{ sloMs: 303, dispersionAtSlo: 1.5, dispersionAt10s: 4 },
    });
    expect(readRouterPage(pageText(), 'shelf')?.burstiness).toBeUndefined();
  });

  it('takes no other page for that of a router', () => {
    expect(readRouterPage('<html></html>', 'shelf')).toBeUndefined();
    expect(readRouterPage('process_cpu_seconds_total 1\n', 'shelf')).toBeUndefined();
    expect(readRouterPage('', 'shelf')).toBeUndefined();
    expect(readRouterPage(pageText(), 'another')).toBeUndefined();
  });
});
