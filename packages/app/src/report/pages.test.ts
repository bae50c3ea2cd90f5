import { describe, expect, it } from 'vitest';
import { htmlPage, MOST_BYTES, plotsOf } from './page/html-page.js';
import { samplePages } from './sample-pages.test-support.js';
import { HOSTILE } from './sample-run.test-support.js';

const pages = Object.entries(samplePages(HOSTILE)).map(([name, page]) => [name, htmlPage(page), page] as const);

/** Tags outside style and script, with their attributes. */
const tagsOf = (html: string): readonly string[] =>
  html.replaceAll(/<(style|script)[^>]*>.*?<\/\1>/gs, '').match(/<[a-z](?:[^>"]|"[^"]*")*>/gi) ?? [];

describe.each(pages)('the page of %s', (_, html, page) => {
  it('keeps hostile names as text', () => {
    expect(html.match(/<\/script/g)).toHaveLength(2);
    const tags = tagsOf(html);
    const names = new Set(tags.map((tag) => /^<(\w+)/.exec(tag)?.[1]));
    expect(
      [...names].filter((name) => ['img', 'link', 'iframe', 'object', 'embed', 'form'].includes(name ?? '')),
    ).toEqual([]);
    const attributes = new Set(tags.flatMap((tag) => tag.replaceAll(/"[^"]*"/g, '').match(/[\w:-]+(?==)/g) ?? []));
    expect([...attributes].filter((attribute) => /^on|^style$|^src/.test(attribute))).toEqual([]);
  });

  it('loads nothing, and is below its limit', () => {
    expect(/url\(|@import|https?:/.test(html.replaceAll('http://www.w3.org/2000/svg', ''))).toBe(false);
    expect(Buffer.byteLength(html)).toBeLessThan(MOST_BYTES);
  });

  it('has plots and figures without wrong numbers, and sections that its links reach', () => {
    expect(plotsOf(page).length).toBeGreaterThan(0);
    expect(html.match(/<figure/g)).toHaveLength(plotsOf(page).length);
    const body = html.replaceAll(/<(style|script)[^>]*>.*?<\/\1>/gs, '');
    expect(
      /.{30}(\bNaN\b|\bundefined\b|\bInfinity\b|\[object|\d\.\d{7,}).{10}/.exec(
        body.replaceAll(/data-scale="[^"]*"/g, ''),
      )?.[0],
    ).toBeUndefined();
    for (const [, id] of body.matchAll(/<a [^>]*href="#([^"]+)"/g)) expect(body.includes(`id="${id}"`)).toBe(true);
  });
});
