import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anchorsOf, findBrokenLinks, findUnmapped, linksOf } from './markdown-links.js';

describe('anchorsOf', () => {
  it('spells headings as GitHub does', () => {
    const markdown =
      '# Stages & `variants`\n## Two, words\n## Two words\n```\n# not a heading\n```\n### [Link](x.md) here';
    expect(anchorsOf(markdown)).toEqual(['stages--variants', 'two-words', 'two-words-1', 'link-here']);
  });
});

describe('linksOf', () => {
  it('finds links, images and definitions, not code', () => {
    const markdown = 'a [b](c.md) and ![d](e.png "t")\n[f]: g.md\n`[h](i.md)`\n~~~\n[j](k.md)\n~~~\n[l](m(n).md)';
    expect(linksOf(markdown)).toEqual([
      { line: 1, target: 'c.md' },
      { line: 1, target: 'e.png' },
      { line: 2, target: 'g.md' },
      { line: 7, target: 'm(n).md' },
    ]);
  });
});

describe('findBrokenLinks', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'links-'));
    mkdirSync(path.join(folder, 'docs'));
    mkdirSync(path.join(folder, 'empty'));
    writeFileSync(path.join(folder, 'docs', 'guide.md'), '# Guide\n');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const brokenIn = (markdown: string): string[] => {
    const file = path.join(folder, 'page.md');
    writeFileSync(file, markdown);
    const files = [file, path.join(folder, 'docs', 'guide.md')];
    return findBrokenLinks(file, files).map(({ target }) => target);
  };

  it('accepts files, folders, anchors and other sites', () => {
    expect(
      brokenIn('# Top\n[a](docs) [a](docs/) [b](docs/guide.md#guide) [c](#top) [d](https://example.org/x#y)'),
    ).toEqual([]);
  });

  it('names a missing file, an empty folder, a missing anchor and a path from the root', () => {
    const targets = ['docs/none.md', 'empty', 'docs/guide.md#none', '#none', '/docs/guide.md'];
    expect(brokenIn(targets.map((target) => `[x](${target})`).join('\n'))).toEqual(targets);
  });

  it('names the pages that the map leaves out', () => {
    const map = path.join(folder, 'page.md');
    writeFileSync(map, '[guide](docs/guide.md)');
    const files = ['page.md', 'docs/guide.md', 'docs/other.md', 'docs/picture.png'].map((file) =>
      path.join(folder, file),
    );
    expect(findUnmapped(map, files)).toEqual([path.join(folder, 'docs/other.md')]);
  });
});
