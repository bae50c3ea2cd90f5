import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RequestLog } from './request-log.js';

const folder = mkdtempSync(path.join(tmpdir(), 'equipoise-request-pipes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const namedPipe = (name: string): string => {
  const file = path.join(folder, name);
  execFileSync('mkfifo', [file]);
  return file;
};
/** What a pipe has at present, at most 10 KB. */
const newBytes = (pipe: number): string => {
  const room = Buffer.alloc(10_000);
  try {
    return room.toString('utf8', 0, readSync(pipe, room));
  } catch {
    return '';
  }
};

describe('a request log in a named pipe', () => {
  it('does not wait for a reader of a named pipe', async () => {
    const requests = new RequestLog(namedPipe('unread'));
    await expect
      .poll(() => {
        requests.write({});
        return requests.dropped;
      })
      .toBeGreaterThan(0);
    await requests.close(20_000);
  });

  it('is closed and opened again while the reader of a named pipe reads nothing', async () => {
    const file = namedPipe('stuck');
    const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const requests = new RequestLog(file);
    for (let n = 0; n < 50; n++) requests.write({ text: 'x'.repeat(10_000) });
    await expect.poll(() => newBytes(reader), { interval: 1, timeout: 20_000 }).not.toBe('');
    await requests.close(1);
    closeSync(reader);
  });

  it('loses no line for a slow reader of a named pipe', async () => {
    const file = namedPipe('slow');
    const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const requests = new RequestLog(file);
    const lines = Array.from({ length: 3000 }, (_, n) => `{"n":${n},"text":"${'x'.repeat(90)}"}\n`);
    for (const line of lines) requests.write(JSON.parse(line) as Record<string, unknown>);
    const closed = requests.close(20_000);
    let text = '';
    const read = (): string => {
      text += newBytes(reader);
      return text;
    };
    await expect.poll(() => read().length, { interval: 1, timeout: 20_000 }).toBe(lines.join('').length);
    await closed;
    closeSync(reader);
    expect(text).toBe(lines.join(''));
  });
});
