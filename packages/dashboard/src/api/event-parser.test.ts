import { describe, expect, it } from 'vitest';
import { failureOf } from './admin-client.js';
import { EventParser } from './event-parser.js';

const stream =
  ': events\n\nid: 7\nevent: decided\ndata: {"id":1}\n\n: still here\n\nevent: amended\ndata: {"id":\ndata: 2}\n\n';
const events = [
  { kind: 'decided', data: '{"id":1}' },
  { kind: 'amended', data: '{"id":\n2}' },
];

describe('the parser of server-sent events', () => {
  it('finds the same events wherever the stream is cut', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const parser = new EventParser();
      expect([...parser.take(stream.slice(0, cut)), ...parser.take(stream.slice(cut))]).toEqual(events);
    }
  });

  it('does not hold an endless event', () => {
    const parser = new EventParser();
    expect(() => {
      for (let i = 0; i < 20; i++) parser.take(`data: ${'x'.repeat(100_000)}`);
    }).toThrow('too long');
  });
});

describe('a failure of the admin API', () => {
  it('tells an older server from a pipeline that is gone', () => {
    const older = { error: 'There is no such path; there are GET /livez.', code: 'NOT_FOUND' };
    const gone = { error: 'No pipeline of this name is served; served: p.', code: 'NOT_FOUND' };
    expect(failureOf(404, older)).toMatchObject({ kind: 'not-found', isRoute: true });
    expect(failureOf(404, gone)).toMatchObject({ kind: 'not-found', isRoute: false });
  });

  it('has the message of the server, or its status', () => {
    expect(failureOf(409, { error: 'Not now.' })).toEqual({ kind: 'refused', status: 409, message: 'Not now.' });
    expect(failureOf(502, null)).toMatchObject({ message: 'The server answered with status 502.' });
    expect(failureOf(401, {})).toEqual({ kind: 'unauthenticated' });
  });
});
