import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LoadRecord, readResults, resultText } from './vegeta-results.js';

async function recordsOf(...chunks: string[]): Promise<readonly LoadRecord[]> {
  const records: LoadRecord[] = [];
  for await (const record of readResults(chunks, 'results')) records.push(record);
  return records;
}

/** Written by vegeta 12.13.0: `vegeta attack … | vegeta encode --to FORMAT`, with addresses shortened. */
const CSV =
  '1796012049567054687,200,48140322,2,0,,,from-0,0,POST,http://h/run,Q29udGVudC1UeXBlOiBhDQo=\n' +
  '1796012050553139404,0,17751422,0,0,"Post ""http://h/run"": dial tcp 127.0.0.1:1: connect: connection refused",,,7,POST,http://h/run,\n';
const JSON_LINES =
  '{"attack":"a","seq":3,"code":503,"timestamp":"2026-11-30T05:14:16.199000123+01:00","latency":40500220,"bytes_out":2,"bytes_in":111,"error":"503 Service Unavailable","body":"e30=","method":"POST","url":"http://h/","headers":{"A":["b"]}}\n' +
  '{"attack":"","seq":4,"code":0,"timestamp":"2026-11-30T04:14:17Z","latency":1,"bytes_out":0,"bytes_in":0,"error":"net/http: request canceled (Client.Timeout exceeded while awaiting headers)","body":null,"method":"POST","url":"http://h/","headers":null}\n';

describe('results of vegeta', () => {
  it('are read as CSV, in chunks of any size', async () => {
    const records = await recordsOf(...CSV);
    expect(records).toEqual(await recordsOf(CSV));
    expect(records[0]).toMatchObject({ attack: 'from-0', status: 200, latencyMs: 48.140322, bytesOut: 2, error: '' });
    expect(records[0]?.sentAtEpochMs).toBeCloseTo(1_796_012_049_567.0547, 3);
    expect(records[1]).toMatchObject({ seq: 7, status: 'ECONNREFUSED', error: expect.stringContaining('"http://h') });
  });

  it('are read as JSON', async () => {
    const records = await recordsOf(JSON_LINES);
    expect(records.map(({ seq, status, bytesIn }) => [seq, status, bytesIn])).toEqual([
      [3, 503, 111],
      [4, 'TIMEOUT', 0],
    ]);
    expect(records[0]?.sentAtEpochMs).toBeCloseTo(Date.UTC(2026, 10, 30, 4, 14, 16) + 199.000123, 3);
  });

  it('are read as they are written, in both formats (property)', async () => {
    const text = fc.oneof(fc.constantFrom('', 'a,"b"', 'two\nlines', ' x'), fc.string({ maxLength: 8 }));
    const record = fc.record({
      attack: text,
      seq: fc.nat(),
      status: fc.integer({ min: 100, max: 599 }),
      sentAtEpochMs: fc.integer({ min: 1e15, max: 2e15 }).map((us) => us / 1000),
      latencyMs: fc.nat(1e12).map((ns) => ns / 1e6),
      bytesOut: fc.nat(),
      bytesIn: fc.nat(),
      error: text,
      method: fc.constantFrom('GET', 'POST'),
      url: fc.constant('http://127.0.0.1:8080/v1/pipelines/x/run'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 4 }), async (records) => {
        for (const format of ['csv', 'json'] as const) {
          const read = await recordsOf(records.map((each) => resultText(each, format)).join(''));
          const near = ({ sentAtEpochMs, ...rest }: LoadRecord) => [rest, Math.round(sentAtEpochMs * 1000)];
          expect(read.map(near)).toEqual(records.map(near));
        }
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it.each([
    ['\u0001gob', 'results:1: expected a result of vegeta as JSON or CSV. Convert'],
    ['1,2,3\n', 'vegeta encode --to csv FILE'],
    [`${CSV}x,${CSV.split('\n')[0]?.slice(20)}\n`, 'results:3: '],
    ['{"code":200}\n', 'results:1: '],
    ['{"code":\n', 'results:1: '],
    [`{"code":200,"timestamp":"2026-12-03T06:00:00Z","latency":${'9'.repeat(30)}}\n`, 'results:1: '],
  ])('refuses %j', async (text, message) => {
    await expect(recordsOf(text)).rejects.toThrow(message);
  });

  it('names the record with a quote that none closes, before it reads the rest', async () => {
    let chunks = 0;
    function* file() {
      yield `${CSV}1,"`;
      for (; chunks < 1000; chunks++) yield '2,3\n'.repeat(1000);
    }
    const reading = (async () => {
      for await (const _ of readResults(file(), 'results'));
    })();
    await expect(reading).rejects.toThrow('results:3: ');
    expect(chunks).toBeLessThan(100);
  });

  it('bounds a line', async () => {
    await expect(recordsOf('"', 'x'.repeat(17 * 1024 * 1024))).rejects.toThrow('a line of more than');
  });
});
