/** `deploy/chameleon/lease` with a program in place of the OpenStack client, which keeps what was created in files. */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeWithTool, type Tool } from '@equipoise/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';

const jq: Tool = {
  name: 'jq',
  missing: 'the package jq',
  isPresent: () => {
    try {
      execFileSync('jq', ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  },
};

const lease = fileURLToPath(new URL('../../deploy/chameleon/lease', import.meta.url));

/** Answers of the client in the forms that its documentation shows. The field `reservations` is a text. */
const CLIENT = `#!/usr/bin/env bash
cd "$(dirname "$0")"
echo "$*" >>calls
case "$*" in
  "reservation lease show"*json) echo '{"reservations": "{\\"id\\": \\"r-1\\", \\"resource_type\\": \\"physical:host\\"}"}' ;;
  "reservation lease show"*status) cat "lease-$4" ;;
  "reservation lease show"*) cat "lease-$4" ;;
  "reservation lease create"*) echo "\${STATE:-ACTIVE}" >"lease-$4" ;;
  "server create"*) echo "[\\"10.52.0.\${3##*-}\\"]" >"server-$3" ;;
  "server show"*status) [[ -f "server-$3" ]] && echo ACTIVE ;;
  "server show"*json*) echo "{\\"addresses\\": {\\"sharednet1\\": $(cat "server-$3")}}" ;;
  "server show"*) cat "server-$3" ;;
  "floating ip create"*) echo 192.0.2.7 ;;
  "server add floating ip"*) echo "[\\"10.52.0.1\\", \\"$6\\"]" >"server-$5" ;;
esac
`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'equipoise-chameleon-'));
  writeFileSync(join(folder, 'openstack'), CLIENT);
  chmodSync(join(folder, 'openstack'), 0o755);
});

afterEach(() => rmSync(folder, { recursive: true }));

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const all = { PATH: `${folder}:${process.env['PATH']}`, OS_AUTH_URL: 'https://192.0.2.1', ...env };
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const child = execFile(lease, args, { env: all, timeout: 60_000 }, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

const calls = (): readonly string[] =>
  existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n') : [];
const asked = ['models', 'compute_skylake', '2', '8', 'key'];

describeWithTool(jq, 'the script that leases machines', () => {
  it('leases machines, starts a server on each, and keeps them when it runs again', async () => {
    const first = await run(asked);
    expect(first).toMatchObject({ code: 0, out: 'models-1 10.52.0.1 192.0.2.7\nmodels-2 10.52.0.2\n' });
    const created = calls().filter((call) => call.includes('create'));
    expect(created).toHaveLength(4);
    expect(created[0]).toContain('min=2,max=2,resource_type=physical:host');
    expect(created[0]).toContain('["=", "$node_type", "compute_skylake"]');
    expect(created[1]).toContain('--flavor baremetal --key-name key --network sharednet1 --hint reservation=r-1');
    const again = await run(asked);
    expect(again.out).toBe(first.out);
    expect(calls().filter((call) => call.includes('create'))).toHaveLength(4);
  });

  it('ends if a lease fails', async () => {
    expect(await run(asked, { STATE: 'ERROR' })).toMatchObject({
      code: 1,
      err: expect.stringContaining('ERROR in place of ACTIVE'),
    });
    expect(readdirSync(folder).filter((name) => name.startsWith('server-'))).toEqual([]);
  });

  it.each([
    [['models'], {}, 2, 'lease NAME NODE_TYPE NODES HOURS KEY_PAIR'],
    [['models', 'compute_skylake', 'two', '8', 'key'], {}, 2, 'whole numbers above 0'],
    [asked, { OS_AUTH_URL: '' }, 3, 'source the OpenRC file'],
  ])('refuses %j with %j', async (args, env, code, message) => {
    expect(await run(args, env)).toMatchObject({ code, err: expect.stringContaining(message) });
    expect(calls()).toEqual([]);
  });
});
