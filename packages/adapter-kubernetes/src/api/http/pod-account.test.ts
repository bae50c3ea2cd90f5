import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { podAccount } from './pod-account.js';

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenOf = (claims: unknown): string => `${encoded({ alg: 'RS256' })}.${encoded(claims)}.c2lnbmF0dXJl`;

describe('podAccount', () => {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-token-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function accountIn(text: string) {
    const file = join(folder, 'token');
    writeFileSync(file, text);
    return podAccount(file);
  }

  it('is the account that a bound token names', async () => {
    const serviceaccount = { name: 'equipoise-operator', uid: 'u-1' };
    const claims = { sub: 'system:serviceaccount:equipoise:equipoise-operator' };
    expect(
      await accountIn(tokenOf({ ...claims, 'kubernetes.io': { namespace: 'equipoise', serviceaccount } })),
    ).toEqual({
      namespace: 'equipoise',
      owner: { apiVersion: 'v1', kind: 'ServiceAccount', name: 'equipoise-operator', uid: 'u-1' },
    });
  });

  it.each([
    ['no token', ''],
    ['no JSON', 'a.b.c'],
    ['other claims', tokenOf({ sub: 'someone' })],
    ['claims that are no object', tokenOf(7)],
    ['an account without uid', tokenOf({ 'kubernetes.io': { namespace: 'n', serviceaccount: { name: 'a' } } })],
    ['too many characters', tokenOf({ padding: 'x'.repeat(70_000) })],
  ])('is missing for %s', async (_, text) => {
    expect(await accountIn(text)).toBeUndefined();
  });

  it('is missing outside of a pod', async () => {
    expect(await podAccount(join(folder, 'absent'))).toBeUndefined();
  });
});
