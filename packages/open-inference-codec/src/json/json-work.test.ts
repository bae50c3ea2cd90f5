import { describe, expect, it } from 'vitest';
import { checkJsonWork, MOST_JSON_WORK } from './json-work.js';

const LIMIT = 16 * 1024 * 1024;
const check = (text: string, limit = LIMIT) => checkJsonWork(Buffer.from(text), limit);
/** Longer than bodies that are not scanned. */
const padding = `"${'x'.repeat(64 * 1024)}"`;
const array = (item: string, count: number) => `[${padding}${`,${item}`.repeat(count - 1)}]`;

describe('the work of a JSON body', () => {
  it.each<[string, (count: number) => string, keyof typeof MOST_JSON_WORK]>([
    ['values', (count) => array('0', count), 'values'],
    ['arrays', (count) => array('[]', count), 'objects and arrays'],
    ['objects', (count) => array('{}', count), 'objects and arrays'],
    ['names', (count) => `[${padding},{${`"":0,`.repeat(count - 1)}"":0}]`, 'names'],
    ['depth', (count) => `${'['.repeat(count)}${padding}${']'.repeat(count)}`, 'depth'],
  ])('is bounded by its %s', (_, text, limit) => {
    const most = MOST_JSON_WORK[limit];
    expect(() => check(text(most))).not.toThrow();
    expect(() => check(text(most + 1))).toThrow(
      expect.objectContaining({ code: 'BODY_TOO_LARGE', details: { limit, most } }),
    );
  });

  it('ends at the first excess', () => {
    const endless = new Proxy(Buffer.from('['.repeat(100_000)), {
      get: (bytes, at) => {
        if (Number(at) > MOST_JSON_WORK.depth) throw new Error(`byte ${String(at)} was read`);
        return Reflect.get(bytes, at) as unknown;
      },
    });
    expect(() => checkJsonWork(endless, LIMIT)).toThrow('nests deeper than 64');
  });

  it('does not count what is in strings', () => {
    const most = MOST_JSON_WORK.depth;
    expect(() => check(`[${padding},"${'['.repeat(most)}\\"${'['.repeat(most)}\\\\",[[]]]`)).not.toThrow();
    expect(() => check(`[${padding},"\\\\",${'['.repeat(most)}`)).toThrow('nests deeper');
    expect(() => check(`[${padding},"unterminated`)).not.toThrow();
  });

  it('leaves small bodies to the parser', () => {
    expect(() => check('['.repeat(64 * 1024))).not.toThrow();
    expect(() => check('['.repeat(64 * 1024 + 1))).toThrow('nests deeper');
  });

  it('is bounded by its bytes', () => {
    expect(() => check('[1,2,3]', 7)).not.toThrow();
    expect(() => check('[1,2,3]', 6)).toThrow(
      expect.objectContaining({ code: 'BODY_TOO_LARGE', details: { maxJsonBytes: 6 } }),
    );
  });
});
