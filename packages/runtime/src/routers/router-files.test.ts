import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRunning, ownIdentity } from './process-identity.js';
import { type LeadState, RouterFiles, type RouterState } from './router-files.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-routers-'));
const files = new RouterFiles(join(folder, 'pair.routers'));
const state: RouterState = {
  ...{ id: '7-ab', process: ownIdentity(), startedAtEpochMs: 1, atEpochMs: 2, specDigest: 'd', version: 3 },
  ...{ planVersion: 1, limitCores: 4, heldCores: 2.5, usesSurge: false, wantsSurge: true, arrived: 12 },
};
const grant = { count: 2, shareCores: 4, surge: true, version: 3, reservedCores: 4, reservedSurge: true };
const lead: LeadState = { leadId: '7-ab', version: 3, specDigest: 'd', grants: { '7-ab': grant }, planVersion: 0 };

beforeAll(() => files.create());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('RouterFiles', () => {
  it('returns what was told, until it is removed', async () => {
    expect(await files.lead()).toBeUndefined();
    await files.tell(state);
    await files.tellAsLead(lead);
    expect(await files.routers()).toEqual([state]);
    expect(await files.lead()).toEqual(lead);
    await files.remove(state.id);
    expect(await files.routers()).toEqual([]);
  });

  it.each([
    ['half of a file', JSON.stringify(state).slice(0, 40)],
    ['a file of another shape', '{"id": "x", "version": "new"}'],
    ['a file that is too large', ' '.repeat(1024 * 1024 + 1)],
    ['an empty file', ''],
  ])('counts %s as absent', async (_, text) => {
    writeFileSync(join(folder, 'pair.routers', 'router-x.json'), text);
    writeFileSync(join(folder, 'pair.routers', 'lead.json'), text);
    expect(await files.routers()).toEqual([]);
    expect(await files.lead()).toBeUndefined();
  });

  it('counts a lead whose plan is none as absent', async () => {
    await files.tellAsLead({ ...lead, plan: { stages: { detect: [{ replicas: 1 }] } } } as unknown as LeadState);
    expect(await files.lead()).toBeUndefined();
  });
});

describe('the identity of a process', () => {
  it('tells if it still runs, also if another process has its number now', () => {
    const own = ownIdentity();
    expect(isRunning(own)).toBe(true);
    if (own.startTicks !== undefined) expect(isRunning({ ...own, startTicks: own.startTicks - 1 })).toBe(false);
    expect(isRunning({ ...own, pid: 2 ** 22 + 1 })).toBe(false);
  });

  it('tells nothing about a process that cannot be seen from here', () => {
    expect(isRunning({ ...ownIdentity(), namespace: 'pid:[1]' })).toBeUndefined();
  });
});
