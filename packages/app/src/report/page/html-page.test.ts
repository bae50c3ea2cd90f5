import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { runPage } from '../run/run-page.js';
import { HOSTILE, sampleRun } from '../sample-run.test-support.js';
import { htmlPage, MOST_BYTES, plotsOf } from './html-page.js';

const hostile = runPage(sampleRun({ pipeline: HOSTILE, stages: [HOSTILE, 'detect'], seconds: 600 }));
const html = htmlPage(hostile);

const scripts = [...html.matchAll(/<script(?<attributes>[^>]*)>(?<text>.*?)<\/script>/gs)].map(
  ({ groups }) => groups as { readonly attributes: string; readonly text: string },
);

describe('a page', () => {
  it('keeps hostile names as text', () => {
    expect(html).not.toContain('<img');
    expect(scripts).toHaveLength(2);
    expect(html.match(/<\/script/g)).toHaveLength(2);
    expect(html).toContain('<h1>&#60;/script&#62;&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38;{{ </h1>');
    expect(html).not.toContain('\u0007');
    const tags = html.replaceAll(/<(style|script)[^>]*>.*?<\/\1>/gs, '').match(/<[a-z](?:[^>"]|"[^"]*")*>/g) ?? [];
    const names = new Set(tags.flatMap((tag) => tag.replaceAll(/"[^"]*"/g, '').match(/[\w:-]+(?==)/g) ?? []));
    expect([...names].filter((name) => /^on|^style$|^src/.test(name))).toEqual([]);
  });

  it('has data that survive as JSON, with the names as they are', () => {
    const [data] = scripts;
    expect(data?.attributes).toBe(' type="application/json" id="report-data"');
    const { plots, axes } = JSON.parse(data?.text ?? '') as {
      readonly plots: Readonly<Record<string, { readonly x: string; readonly series: readonly object[] }>>;
      readonly axes: Readonly<Record<string, readonly number[]>>;
    };
    expect(Object.keys(plots)).toHaveLength(plotsOf(hostile).length);
    for (const { x } of Object.values(plots)) expect(x === '' || axes[x] !== undefined).toBe(true);
  });

  it('loads nothing, and allows only its own style and script', () => {
    const links = [
      ...html.replaceAll(/<(style|script)[^>]*>.*?<\/\1>/gs, '').matchAll(/(?:href|src|xlink:href)="([^"]*)"/g),
    ];
    expect(links.map(([, address]) => address).filter((address) => !address?.startsWith('#'))).toEqual([]);
    expect(/url\(|@import|https?:/.test(html.replaceAll('http://www.w3.org/2000/svg', ''))).toBe(false);
    expect(html).not.toContain(' style="');
    const style = /<style>(.*?)<\/style>/s.exec(html)?.[1] ?? '';
    for (const text of [style, scripts[1]?.text ?? ''])
      expect(html).toContain(`'sha256-${createHash('sha256').update(text).digest('base64')}'`);
    expect(html).toContain("default-src 'none'");
  });

  it('leads from each flag to its change', () => {
    const flags = [...html.matchAll(/<a href="#(d\d+)"/g)].map(([, id]) => id);
    expect(flags.length).toBeGreaterThan(0);
    for (const id of flags) expect(html).toContain(`id="${id}"`);
  });

  it('stays below its limit with many stages and long names, and says what is missing', () => {
    const stages = Array.from({ length: 200 }, (_, i) => `${'stage-'.repeat(10)}${i}`);
    const large = htmlPage(runPage(sampleRun({ pipeline: 'p'.repeat(500), stages, seconds: 3600, everyS: 10 })));
    expect(Buffer.byteLength(large)).toBeLessThan(MOST_BYTES);
    expect(large).toContain('170 stages not shown');
    const table = `<p>${'x'.repeat(MOST_BYTES)}</p>`;
    const cut = htmlPage({ ...hostile, sections: [{ title: 'a', blocks: [table, '<p>kept</p>'] }] });
    expect(cut).toContain('The page would be too large with the rest of this section.');
    expect(cut).toContain('<p>kept</p>');
    expect(Buffer.byteLength(cut)).toBeLessThan(MOST_BYTES);
  });
});
