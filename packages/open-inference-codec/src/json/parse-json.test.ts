import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mayHaveLongIntegers, parseWithExactIntegers } from './parse-json.js';

it('keeps the digits of long integers and changes nothing else', () => {
  const text =
    '{"a":[9223372036854775807, -9223372036854775808,1234567890123456],"b":{"c":18446744073709551615},"9007199254740993":1}';
  expect(parseWithExactIntegers(text)).toEqual({
    a: ['9223372036854775807', '-9223372036854775808', '1234567890123456'],
    b: { c: '18446744073709551615' },
    '9007199254740993': 1,
  });
});

it.each(['0.12345678901234567890', '1234567890123456.5', '12345678901234567e3', '1.5e-1234567890123456789', '123'])(
  'leaves %s a number',
  (number) => {
    expect(parseWithExactIntegers(`[${number}]`)).toEqual(JSON.parse(`[${number}]`));
  },
);

it('leaves runs of digits that no 64-bit integer has, be there millions of them', () => {
  for (const digits of [21, 16_000_000]) {
    expect(parseWithExactIntegers(`[${'1'.repeat(digits)},12345678901234567890]`)).toEqual([
      Number('1'.repeat(digits)),
      '12345678901234567890',
    ]);
  }
});

it('leaves what stands in strings (property)', () => {
  const text = fc.string({
    unit: fc.constantFrom('"', '\\', ',', '[', ' ', '1234567890123456789', 'a'),
    maxLength: 12,
  });
  fc.assert(
    fc.property(fc.dictionary(text, fc.oneof(text, fc.array(text), fc.boolean())), (value) => {
      expect(parseWithExactIntegers(JSON.stringify(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { seed: 8, numRuns: 2000 },
  );
});

it('knows a text without long integers', () => {
  expect([mayHaveLongIntegers('[123456789012345]'), mayHaveLongIntegers('[1234567890123456]')]).toEqual([false, true]);
});
