/** The service file, read by systemd itself. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';

const systemd: Tool = {
  name: 'systemd-analyze',
  missing: 'it comes with systemd',
  isPresent: () => spawnSync('systemd-analyze', ['--version']).status === 0,
};

const units = ['equipoise.service', 'equipoise@.service'];

describeWithTool(systemd, 'the service files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-service-'));

  beforeAll(() => {
    // systemd requires that the started command exists, but it is not installed here.
    const command = join(folder, 'equipoise');
    writeFileSync(command, '#!/bin/sh\n', { mode: 0o755 });
    for (const name of units) {
      const text = readFileSync(join(import.meta.dirname, '..', '..', 'deploy', name), 'utf8');
      writeFileSync(join(folder, name), text.replace('/opt/equipoise/node_modules/.bin/equipoise', command));
    }
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(units)('%s has no directive that systemd does not know', (name) => {
    const unit = join(folder, name.replace('@', '@1'));
    if (name !== 'equipoise.service') copyFileSync(join(folder, name), unit);
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
  });
});
