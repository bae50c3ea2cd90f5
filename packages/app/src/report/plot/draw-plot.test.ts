import { describe, expect, it } from 'vitest';
import { drawPlot, plotSummary } from './draw-plot.js';
import { plotPicture } from './picture.js';
import type { LineLayer, PlotSpec } from './plot-spec.js';
import { scaleOf } from './scale.js';

const line = (over: Partial<LineLayer> = {}): LineLayer => ({
  ...{ kind: 'line', name: 'a', color: 'c1', xs: [0, 1, 2, 3], values: [1, 1, 4, 2] },
  ...over,
});

const plot = (over: Partial<PlotSpec> = {}): PlotSpec => ({
  title: 'Load',
  x: {},
  y: { unit: 'rps' },
  layers: [line()],
  ...over,
});

const pathOf = (layer: LineLayer): string =>
  / d="([^"]*)"\/>(?!.*class="c1 l")/s.exec(
    drawPlot(plot({ layers: [layer] }), 'column').split('class="c1 l"')[1] ?? '',
  )?.[1] ?? '';

describe('ticks', () => {
  const texts = (axis: Parameters<typeof scaleOf>[0], values: readonly number[], count = 5) =>
    scaleOf(axis, values, count).ticks.map(({ text }) => text);

  it.each([
    ['from zero', {}, [3, 97], ['0', '20', '40', '60', '80', '100']],
    ['at most 100', { isLoose: true, most: 100 }, [91, 100], ['90', '95', '100']],
    ['beyond its most', { isLoose: true, most: 100 }, [97, 103], ['96', '98', '100', '102', '104']],
    ['small', {}, [0.0021], ['0.0000', '0.0005', '0.0010', '0.0015', '0.0020', '0.0025']],
    ['large', {}, [12_345], ['0', '5,000', '10,000', '15,000']],
    ['loose', { isLoose: true }, [0.81, 0.87], ['0.80', '0.82', '0.84', '0.86', '0.88']],
    ['without values', {}, [], ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']],
    ['at 0', { isLoose: true }, [0, 5000, 30_000], ['0', '10,000', '20,000', '30,000', '40,000']],
    ['one value', { isLoose: true }, [7], ['6.0', '6.5', '7.0', '7.5', '8.0']],
    ['percent', { isPercent: true }, [0.25], ['0 %', '10 %', '20 %', '30 %']],
    ['negative', {}, [-3, 5], ['-4', '-2', '0', '2', '4', '6']],
    ['logarithmic', { scale: 'log' }, [3, 450], ['3', '10', '30', '100', '300']],
    ['logarithmic, one decade', { scale: 'log' }, [3, 20], ['5', '10', '20']],
    ['bands', { bands: ['x', 'y'] }, [], ['x', 'y']],
    ['given', { scale: 'log', domain: [1, 8], ticks: [1, 2, 4, 8] }, [], ['1', '2', '4', '8']],
    ['seconds', { scale: 'utc', domain: [0, 20] }, [], ['00:00:00', '00:00:05', '00:00:10', '00:00:15', '00:00:20']],
    ['hours', { scale: 'utc', domain: [0, 7200] }, [], ['00:00', '00:30', '01:00', '01:30', '02:00']],
    ['days', { scale: 'utc', domain: [0, 4 * 86_400] }, [], ['01-01', '01-02', '01-03', '01-04', '01-05']],
  ] as const)('%s', (_, axis, values, expected) => {
    expect(texts(axis, values)).toEqual(expected);
  });

  it('include all values of a linear axis', () => {
    const { domain } = scaleOf({ isLoose: true }, [0.813, 0.8671], 4);
    expect(domain[0]).toBeLessThanOrEqual(0.813);
    expect(domain[1]).toBeGreaterThanOrEqual(0.8671);
  });

  it.each([1e-300, 1e300, Number.MAX_VALUE, 5e-324])('are few for a value of %s', (value) => {
    expect(texts({}, [value]).length).toBeLessThan(12);
    expect(texts({ scale: 'log' }, [value]).length).toBeLessThan(12);
  });
});

describe('a plot', () => {
  it('draws steps at the time of each value, and a gap where a value is missing', () => {
    expect(pathOf(line({ isStep: true }))).toMatch(/^M[\d.,]+H[\d.]+V[\d.]+H[\d.]+V[\d.]+$/);
    expect(pathOf(line())).toMatch(/^M[\d.,]+(L[\d.,]+){3}$/);
    expect(pathOf(line({ values: [1, null, 3, Number.NaN] }))).toMatch(/^M[\d.,]+h0M[\d.,]+h0$/);
    expect(drawPlot(plot({ layers: [line({ values: [null, null, null, null] })] }), 'column')).not.toContain(
      'class="c1 l"',
    );
  });

  it('has a legend of all named layers, if there are several', () => {
    expect(drawPlot(plot(), 'column')).not.toContain('>a</text>');
    const two = drawPlot(plot({ layers: [line(), line({ name: 'b', color: 'c2' })] }), 'column');
    expect(two).toContain('>a</text>');
    expect(two).toContain('>b</text>');
  });

  it('shortens names that do not fit', () => {
    const long = 'x'.repeat(200);
    const svg = drawPlot(
      plot({ title: long, y: { bands: [long] }, layers: [line({ name: long }), line({ name: 'b' })] }),
      'column',
    );
    expect(svg.match(/…/g)?.length).toBe(3);
    expect(svg).not.toContain('x'.repeat(80));
  });

  it('draws all kinds of layers, and skips what is not a number', () => {
    const svg = drawPlot(
      plot({
        layers: [
          {
            kind: 'area',
            name: 'band',
            color: 'c2',
            xs: [0, 1],
            values: [1, 2],
            low: [0, 1],
            high: [1, 3],
            isStep: true,
          },
          {
            kind: 'points',
            name: 'p',
            color: 'c3',
            shape: 'ring',
            points: [
              { x: 1, y: 1, tip: 'one' },
              { x: Number.NaN, y: 1 },
            ],
          },
          {
            kind: 'segments',
            color: 'c4',
            segments: [
              [0, 1, 2, 3],
              [0, Number.NaN, 1, 1],
            ],
          },
          { kind: 'rule', color: 'bad', at: { y: 2 } },
          { kind: 'bars', color: 'c5', bars: [{ from: 0, to: 1, value: 3, tip: 'three' }] },
        ],
      }),
      'page',
    );
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg.match(/<circle[^>]*data-tip/g)).toHaveLength(1);
    expect(svg.match(/data-tip/g)).toHaveLength(2);
  });

  it('draws points at one place inside each other, the largest first, with their number', () => {
    const points = (color: 'ok' | 'bad', shape: 'disc' | 'ring', at: readonly (readonly [number, number])[]) => ({
      ...{ kind: 'points' as const, name: color, color, shape },
      points: at.map(([x, y]) => ({ x, y, tip: `${color} ${x}` })),
    });
    const layers = [
      points('ok', 'disc', [
        [1, 1],
        [5, 1],
        [9, 1],
      ]),
      points('bad', 'ring', [
        [5, 1],
        [5, 1],
        [9, 1.4],
      ]),
    ];
    const svg = drawPlot(plot({ x: { domain: [0, 10] }, y: { domain: [0, 2] }, layers }), 'page');
    const marks = [...svg.matchAll(/<circle class="(\w+) (?:dot|ring)" data-tip="[^"]*"[^>]* r="([\d.]+)"/g)];
    expect(marks.map(([, color, radius]) => [color, Number(radius)])).toEqual([
      ['ok', 4.2],
      ['bad', 7.4],
      ['bad', 7.4],
      ['ok', 4.2],
      ['ok', 4.2],
      ['bad', 4.2],
    ]);
    expect(svg.match(/>×\d+</g)).toEqual(['>×3<']);
  });

  it('leaves the number out, and the size as it is, where places are close to each other', () => {
    const at = Array.from({ length: 200 }, (_, i) => ({ x: Math.floor(i / 2), y: 1 }));
    const layers = ['c1', 'c2'].map((color) => ({
      ...{ kind: 'points' as const, color: color as 'c1' | 'c2', shape: 'disc' as const, points: at },
    }));
    const svg = drawPlot(plot({ layers }), 'column');
    expect(svg).not.toContain('×');
    expect(new Set(svg.match(/ r="[\d.]+"/g))).toEqual(new Set([' r="4.2"']));
  });

  it('is summed up in words', () => {
    expect(plotSummary(plot())).toBe('Load, rps: a 1 to 4');
  });
});

describe('a picture', () => {
  it('stands alone: light colors without variables, no links and no data of the page', () => {
    const svg = plotPicture(plot({ marks: [{ x: 1, label: 'Decision 1', href: '#d1' }] }));
    expect(svg).toMatch(
      /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" class="plot-svg" viewBox="0 0 380 \d+" width="380" height="\d+" role="img"><title>Load, rps/,
    );
    expect(svg).toMatch(/\.c1 \{\s*stroke: #[0-9a-f]{6}/);
    expect(svg).not.toMatch(/var\(|<a |data-/);
  });
});
