import { describe, expect, it } from 'vitest';
import type { ApiFailure } from '../api/admin-client.js';
import { connectionOf, failureRemedy, failureTitle, skewText } from './connection.js';

const unreachable: ApiFailure = { kind: 'unreachable' };
const refused = (status: number): ApiFailure => ({ kind: 'refused', status, message: 'The admin port is busy.' });
const notFound = (isRoute: boolean): ApiFailure => ({ kind: 'not-found', isRoute, message: 'Not here.' });

describe('the connection', () => {
  it.each([
    [{ failure: undefined, readAgeMs: undefined, stream: 'connecting' }, 'connecting'],
    [{ failure: undefined, readAgeMs: 900, stream: 'connecting' }, 'connecting'],
    [{ failure: undefined, readAgeMs: 900, stream: 'open' }, 'live'],
    [{ failure: undefined, readAgeMs: 900, stream: 'refused' }, 'polling'],
    [{ failure: undefined, readAgeMs: 9000, stream: 'open' }, 'late'],
    [{ failure: unreachable, readAgeMs: 9000, stream: 'open' }, 'lost'],
  ] as const)('with %j is %s', (facts, connection) => {
    expect(connectionOf(facts)).toBe(connection);
  });
});

describe('a failed reading', () => {
  it.each([
    [unreachable, 'Connection lost.'],
    [{ kind: 'unauthenticated' }, 'The token is not valid any more.'],
    [notFound(false), 'The pipeline is gone.'],
    [notFound(true), 'This server is older than this page.'],
    [refused(429), 'The server is asked too often.'],
    [refused(500), 'The server cannot answer.'],
  ] as const)('%j has the title %s', (failure, title) => {
    expect(failureTitle(failure)).toBe(title);
  });

  it('says what to do where other pages or scripts ask too often', () => {
    expect(failureRemedy(refused(429))).toMatch(/^The admin port is busy\. Close other tabs/);
    expect(failureRemedy(refused(500))).toBe('The admin port is busy.');
  });
});

describe('the clock of the server', () => {
  it.each([
    [3_600_000, '60 min ahead of'],
    [-90_000, '90 s behind'],
    [-86_400_000, '24 h behind'],
  ])('that is off by %d ms is shown', (skewMs, words) => {
    expect(skewText(skewMs)).toContain(`The clock of the server is ${words} this machine.`);
  });

  it.each([0, 4000, -5000])('is not mentioned for %d ms', (skewMs) => {
    expect(skewText(skewMs)).toBeUndefined();
  });
});
