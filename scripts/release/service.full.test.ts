/** The service file, read by systemd itself. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';

const systemd: Tool = {
  name: 'systemd-analyze',
  missing: 'it comes with systemd',
  isPresent: () => spawnSync('systemd-analyze', ['--version']).status === 0,
};

describeWithTool(systemd, 'equipoise.service', () => {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-service-'));
  const unit = join(folder, 'equipoise.service');

  beforeAll(() => {
    // systemd requires that the started command exists, but it is not installed here.
    const command = join(folder, 'equipoise');
    writeFileSync(command, '#!/bin/sh\n', { mode: 0o755 });
    const text = readFileSync(join(import.meta.dirname, '..', '..', 'deploy', 'equipoise.service'), 'utf8');
    writeFileSync(unit, text.replace('/opt/equipoise/node_modules/.bin/equipoise', command));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('has no directive that systemd does not know', () => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
  });
});
