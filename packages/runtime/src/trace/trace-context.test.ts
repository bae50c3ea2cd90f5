import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTraceParent, traceHeaders, writeTraceParent } from './trace-context.js';

const trace = '0af7651916cd43dd8448eb211c80319c';
const span = 'b7ad6b7169203331';
const good = `00-${trace}-${span}-01`;

const stateOf = (tracestate: string | readonly string[]) => readTraceParent({ traceparent: good, tracestate })?.state;

describe('traceparent', () => {
  it.each([
    ['sampled', good, true],
    ['not sampled', `00-${trace}-${span}-00`, false],
    ['with flags that are not defined yet', `00-${trace}-${span}-ff`, true],
    ['of a later version', `01-${trace}-${span}-02`, false],
    ['of a later version with more fields', `cc-${trace}-${span}-01-what-the-future-brings`, true],
  ])('%s is read', (_, traceparent, isSampled) => {
    expect(readTraceParent({ traceparent })).toEqual({ traceId: trace, spanId: span, isSampled, state: undefined });
  });

  it.each([
    ['absent', undefined],
    ['empty', ''],
    ['twice', [good, good]],
    ['twice, joined as Node joins them', `${good}, ${good}`],
    ['twice, of a later version', `01${good.slice(2)}, 01${good.slice(2)}`],
    ['one character too short', good.slice(0, -1)],
    ['one character too long', `${good}0`],
    ['of version 00 with more fields', `${good}-00`],
    ['of a later version with a longer flag', `01${good.slice(2)}0`],
    ['of the forbidden version', `ff${good.slice(2)}`],
    ['in upper case', good.toUpperCase()],
    ['with one upper-case digit', good.replace('af', 'aF')],
    ['with a version in upper case', `0A${good.slice(2)}`],
    ['without a trace id', `00-${'0'.repeat(32)}-${span}-01`],
    ['without a span id', `00-${trace}-${'0'.repeat(16)}-01`],
    ['with other separators', good.replaceAll('-', '_')],
    ['with a space in front', ` ${good}`],
    ['with a space behind', `${good} `],
    ['with a line break behind', `${good}\n`],
    ['with letters beyond f', good.replace('0af7', '0ag7')],
    ['with full-width digits', good.replace('0', '０')],
    ['of 10 KB', '0'.repeat(10_240)],
    ['of 10 KB, valid in front', `${good}${'0'.repeat(10_240)}`],
  ])('that is %s counts as absent, and so does its state', (_, traceparent) => {
    expect(readTraceParent({ traceparent, tracestate: 'a=1' })).toBeUndefined();
  });

  it('is written as it is read (property)', () => {
    const hex = (digits: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits });
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, isSampled) => {
        fc.pre(/[^0]/.test(traceId) && /[^0]/.test(spanId));
        const context = { traceId, spanId, isSampled, state: undefined };
        expect(readTraceParent({ traceparent: writeTraceParent(context) })).toEqual(context);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it('never throws (property)', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), fc.string({ maxLength: 80 }), (traceparent, tracestate) => {
        readTraceParent({ traceparent, tracestate });
        readTraceParent({ traceparent: good, tracestate });
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});

describe('tracestate', () => {
  const members = (count: number, value = '1') => Array.from({ length: count }, (_, i) => `k${i}=${value}`).join();

  it.each([
    ['one member', 'rojo=00f067aa0ba902b7', 'rojo=00f067aa0ba902b7'],
    ['members with spaces and tabs around', ' a=1 ,\tb=2\t', 'a=1,b=2'],
    ['empty members', 'a=1,,b=2,', 'a=1,b=2'],
    ['several headers', ['a=1', 'b=2'], 'a=1,b=2'],
    ['the key of a tenant', 'fw529a3039@dt=FfwsT', 'fw529a3039@dt=FfwsT'],
    ['spaces inside a value', 'a=x y', 'a=x y'],
    ['32 members', members(32), members(32)],
  ])('keeps %s', (_, given, kept) => {
    expect(stateOf(given)).toBe(kept);
  });

  it.each([
    ['nothing', ''],
    ['33 members', members(33)],
    ['a key twice', 'a=1,b=2,a=3'],
    ['a key in upper case', 'A=1'],
    ['a key of 257 characters', `${'a'.repeat(257)}=1`],
    ['a value of 257 characters', `a=${'1'.repeat(257)}`],
    ['a value with an equals sign', 'a=1=2'],
    ['a member without a value', 'a=1,b'],
    ['an empty value', 'a='],
    ['an empty key', '=1'],
    ['letters beyond ASCII', 'a=ü'],
    ['a control character', 'a=\u0007'],
    ['10 KB', members(2000)],
    ['10 KB of commas', ','.repeat(10_240)],
    ['10 KB of spaces', ' '.repeat(10_240)],
  ])('with %s is dropped alone', (_, state) => {
    expect(readTraceParent({ traceparent: good, tracestate: state })).toMatchObject({ traceId: trace });
    expect(stateOf(state)).toBeUndefined();
  });

  it('is shortened to 512 characters: long members go first, then the last ones', () => {
    const long = `long=${'x'.repeat(200)}`;
    expect(stateOf(`a=1,${long},b=${'y'.repeat(200)},${members(10, 'z'.repeat(30))}`)).toBe(
      `a=1,${members(10, 'z'.repeat(30))}`,
    );
    const kept = stateOf(members(32, 'z'.repeat(30)));
    expect(kept).toBe(members(14, 'z'.repeat(30)));
    expect(kept?.length).toBeLessThanOrEqual(512);
  });

  it('reaches the next server', () => {
    const context = { traceId: trace, spanId: span, isSampled: false, state: 'a=1' };
    expect(traceHeaders(context)).toEqual({ traceparent: `00-${trace}-${span}-00`, tracestate: 'a=1' });
    expect(traceHeaders({ ...context, state: undefined })).toEqual({ traceparent: `00-${trace}-${span}-00` });
  });
});
