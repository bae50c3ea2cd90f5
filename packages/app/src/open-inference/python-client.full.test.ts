/** The Python client: its tests against a real server, its types, and its agreement with the OpenAPI documents. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';

const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
const environment = process.env['EQUIPOISE_PYTHON_CLIENT_DIR'] ?? join(cache, 'equipoise', 'python-client');
const root = fileURLToPath(new URL('../../../../', import.meta.url));
const client = join(root, 'clients/python');
const pythonClient = {
  name: 'python-client',
  missing: 'scripts/python-client/install',
  isPresent: () => existsSync(join(environment, 'installed')),
};
const LONGEST_MS = 300_000;

/** Output of a program; rejects with all that it wrote if it fails. */
function printed(program: string, args: readonly string[]): Promise<string> {
  const env = {
    ...process.env,
    PYTHONPATH: join(client, 'src'),
    PYTHONDONTWRITEBYTECODE: '1',
    EQUIPOISE_COMMAND: join(root, 'packages/app/bin/equipoise'),
  };
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd: client, env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} failed:\n${stdout}\n${stderr}`));
    });
  });
}

const inEnvironment = (name: string): string => join(environment, 'bin', name);

describeWithTool(pythonClient, 'the Python client', () => {
  it('passes its tests against a real server', { timeout: LONGEST_MS }, async () => {
    const text = await printed(inEnvironment('pytest'), ['-q', '-p', 'no:cacheprovider']);
    expect(text).toMatch(/\d+ passed/);
    expect(text).not.toMatch(/skipped|failed/);
  });

  it('has strict types and clean code', { timeout: LONGEST_MS }, async () => {
    await printed(inEnvironment('mypy'), ['--cache-dir', '/dev/null']);
    await printed(inEnvironment('ruff'), ['check', '--no-cache', '.']);
    await printed(inEnvironment('ruff'), ['format', '--no-cache', '--check', '.']);
  });

  it('has the types of the documents', { timeout: LONGEST_MS }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'equipoise-types-'));
    await printed(join(root, 'scripts/python-client/generate-types'), [environment, folder]);
    for (const name of ['serving_types.py', 'admin_types.py']) {
      const made = await readFile(join(folder, name), 'utf8');
      expect(made).toBe(await readFile(join(client, 'src/equipoise_client', name), 'utf8'));
    }
    await rm(folder, { recursive: true });
  });
});
