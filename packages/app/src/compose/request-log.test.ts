import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RequestLog, requestLog } from './request-log.js';

const folder = mkdtempSync(path.join(tmpdir(), 'equipoise-requests-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const linesOf = (file: string): unknown[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

describe('a request log', () => {
  it('has a line per request that ended, without payloads', async () => {
    const file = path.join(folder, 'requests.jsonl');
    const requests = new RequestLog(file);
    let end: ((ended: never) => void) | undefined;
    const onEnded = (listener: (ended: never) => void) => {
      end = listener;
    };
    requests.follow({ onEnded } as never, 'shelf');
    const endedEpochMs = Date.parse('2026-01-02T03:04:05.678Z');
    const request = { traceId: 'ab'.repeat(16) };
    end?.({ request, endedEpochMs, end: { kind: 'completed', latencyMs: 12.345678 } } as never);
    end?.({ request, endedEpochMs, end: { kind: 'dropped', reason: 'deadline', latencyMs: 500 } } as never);
    end?.({ request, endedEpochMs, end: { kind: 'failed', code: 'STAGE_FAILED', latencyMs: 3 } } as never);
    await requests.close(20_000);
    const common = { at: '2026-01-02T03:04:05.678Z', pipeline: 'shelf', traceId: 'ab'.repeat(16) };
    expect(linesOf(file)).toEqual([
      { ...common, outcome: 'completed', latencyMs: 12.346 },
      { ...common, outcome: 'dropped', reason: 'deadline', latencyMs: 500 },
      { ...common, outcome: 'failed', reason: 'STAGE_FAILED', latencyMs: 3 },
    ]);
    expect(statSync(file).mode & 0o007).toBe(0);
  });

  it('goes on in a new file after a rotation, and loses no line', async () => {
    const [file, old] = [path.join(folder, 'rotated.jsonl'), path.join(folder, 'rotated.1.jsonl')];
    const requests = new RequestLog(file);
    requests.write({ n: 0 });
    await requests.reopen();
    for (let n = 1; n < 1000; n++) requests.write({ n });
    renameSync(file, old);
    await requests.reopen();
    for (let n = 1000; n < 1500; n++) requests.write({ n });
    await requests.close(20_000);
    expect([...linesOf(old), ...linesOf(file)]).toEqual(Array.from({ length: 1500 }, (_, n) => ({ n })));
    expect(requests.dropped).toBe(0);
  });

  it('drops and counts lines that nobody takes, instead of holding all', async () => {
    const requests = new RequestLog(path.join(folder, 'slow.jsonl'));
    const line = { text: 'x'.repeat(100_000) };
    for (let n = 0; n < 200; n++) requests.write(line);
    expect(requests.dropped).toBeGreaterThan(100);
    await requests.close(20_000);
  });

  it('counts what a file that cannot be opened loses, and does not throw', async () => {
    const requests = new RequestLog(path.join(folder, 'missing', 'requests.jsonl'));
    await expect
      .poll(() => {
        requests.write({});
        return requests.dropped;
      })
      .toBeGreaterThan(0);
    await requests.close(20_000);
  });

  it('is refused where requests are not traced', () => {
    expect(requestLog(undefined, undefined)).toBeUndefined();
    expect(() => requestLog(path.join(folder, 'none.jsonl'), undefined)).toThrow(/--trace-sample 0/);
  });
});
