import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LoadTarget, parseTargets, targetsText } from './vegeta-targets.js';

const files: Readonly<Record<string, string>> = { 'body.json': '{"a":1}', 'folder/x y': 'text' };
const source = {
  fileName: 'targets',
  readBody: (path: string) => {
    const text = files[path];
    if (text === undefined) throw new Error('missing');
    return new Uint8Array(Buffer.from(text));
  },
};
const textOf = ({ bytes }: LoadTarget): string => Buffer.from(bytes).toString();

describe('targets of vegeta', () => {
  it('reads the format http, as the README of vegeta shows it', () => {
    const text = [
      '# a comment',
      'GET http://127.0.0.1:80/path?q=1',
      '',
      'POST http://127.0.0.1:80/post',
      'Content-Type: application/json',
      'X-Account-ID: 99',
      'x-twice: a:b',
      'x-twice: c',
      '@body.json',
      'GET http://127.0.0.1:80/two',
      'GET http://127.0.0.1:80/three',
      'Authorization: Bearer t',
      '# another',
      '',
    ].join('\r\n');
    const targets = parseTargets(text, 'http', source);
    expect(targets.map(({ method, url, headers }) => [method, url.slice(19), headers])).toEqual([
      ['GET', '/path?q=1', {}],
      ['POST', '/post', { 'Content-Type': ['application/json'], 'X-Account-ID': ['99'], 'x-twice': ['a:b', 'c'] }],
      ['GET', '/two', {}],
      ['GET', '/three', { Authorization: ['Bearer t'] }],
    ]);
    expect(targets.map(textOf)).toEqual(['', '{"a":1}', '', '']);
    expect(targets[1]?.path).toBe('body.json');
  });

  it('reads the format json', () => {
    const line =
      '{"method":"POST","url":"http://127.0.0.1:1/x","body":"aGVsbG8=","header":{"Content-Type":["text/plain"]}}';
    const targets = parseTargets(`\n${line}\n{"method":"GET","url":"http://h/"}\n`, 'json', source);
    expect(targets.map(textOf)).toEqual(['hello', '']);
    expect(targets[0]).toMatchObject({ method: 'POST', headers: { 'Content-Type': ['text/plain'] } });
    expect(targets[1]).toMatchObject({ method: 'GET', url: 'http://h/', headers: {} });
  });

  it.each([
    ['"aGVs\\nbG8="', 'hello'],
    ['"aGl="', 'hi'],
    ['null', ''],
  ])('reads the body %s as vegeta does', (body, text) => {
    const targets = parseTargets(`{"method":"GET","url":"http://h/","body":${body}}`, 'json', source);
    expect(targets.map(textOf)).toEqual([text]);
  });

  it.each([
    ['http', 'POST', 'targets:1: expected a method and an address'],
    ['http', 'POST nowhere', 'targets:1: expected an address'],
    ['http', '\nPOST http://h/\nno header', 'targets:3: expected a header'],
    ['http', 'POST http://h/\n@missing', 'targets:2: expected a readable file after @, found missing'],
    ['http', '# nothing', 'expected at least one target'],
    ['json', '{"method":"GET","url":"http://h/","body":"hello world!"}', 'targets:1: expected a body in base64'],
    ['json', '{"method":"GET","url":"http://h/","body":"aGk"}', 'targets:1: expected a body in base64'],
    ['json', '{"method":"GET","url":"http://h/","body":"_-8="}', 'targets:1: expected a body in base64'],
    ['json', '{"method":"GET","url":"http://h/","body":"aGk=aGk="}', 'targets:1: expected a body in base64'],
    ['json', '{"method":"POST"}', 'targets:1: expected a JSON object with method, url'],
    ['json', '{"method":"GET","url":"http://h/","header":{"a":"b"}}', 'targets:1: expected a JSON object'],
    ['json', 'null', 'targets:1: expected a JSON object'],
    ['json', '\n{', 'targets:2: expected a JSON object'],
  ] as const)('refuses, as %s, %j', (format, text, message) => {
    expect(() => parseTargets(text, format, source)).toThrow(message);
  });

  it('bounds the number of targets', () => {
    expect(() => parseTargets('GET http://h/\n'.repeat(10_001), 'http', source)).toThrow('at most 10000 targets');
  });

  it('reads what it writes (property)', () => {
    const name = fc.stringMatching(/^[a-z][a-z-]{0,8}$/);
    const header = fc.dictionary(name, fc.array(fc.stringMatching(/^[!-~]{1,9}$/), { minLength: 1, maxLength: 2 }));
    const body = fc.constantFrom(...Object.keys(files), undefined);
    const target = fc.record({ method: fc.constantFrom('GET', 'POST'), headers: header, path: body });
    fc.assert(
      fc.property(fc.array(target, { minLength: 1, maxLength: 5 }), (given) => {
        const targets = given.map(({ method, headers, path }) => {
          const bytes = path === undefined ? new Uint8Array() : source.readBody(path);
          return { method, url: 'http://127.0.0.1/x', headers: { ...headers }, bytes, path };
        });
        const form = (each: LoadTarget) => [each.method, each.url, each.headers, textOf(each)];
        for (const format of ['http', 'json'] as const) {
          const read = parseTargets(targetsText(targets, format), format, source);
          expect(read.map(form)).toEqual(targets.map(form));
        }
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('names the format that takes any body', () => {
    const target = { method: 'POST', url: 'http://h/', headers: {}, bytes: new Uint8Array([1]) };
    expect(() => targetsText([target], 'http')).toThrow('a name that ends in .json');
  });
});
