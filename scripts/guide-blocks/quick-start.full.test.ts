/**
 * The quick start of README.md, typed as it stands in a clone after `npm ci`: a folder with the installed packages and the
 * example, without results of earlier runs.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RunningCommand, TestFolder } from '../../packages/app/src/equipoise.test-support.js';
import { REPOSITORY } from './code-blocks.js';
import { isServer, onPorts, PAGE_PORTS, type Ports, sectionOf } from './quick-start.js';

const curl = {
  name: 'curl',
  missing: 'the program curl',
  isPresent: () => spawnSync('curl', ['--version']).status === 0,
};
const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');

/** Without the variables of the `npm run` that runs this test. */
const environment: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$|FORCE_COLOR$)/i.test(name)),
  ),
  NO_COLOR: '1',
  npm_config_update_notifier: 'false',
};

/** A port of this machine that is free now; undefined if `wanted` is taken. */
function freePort(wanted: number): Promise<number | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as { readonly port: number };
      server.close(() => resolve(port));
    });
  });
}

/** The ports of the page where they are free, so that its commands are typed unchanged; else two others. */
async function portsForPage(): Promise<Ports> {
  const [serving, admin] = [await freePort(PAGE_PORTS.serving), await freePort(PAGE_PORTS.admin)];
  if (serving !== undefined && admin !== undefined) return PAGE_PORTS;
  const others = [await freePort(0), await freePort(0)];
  return { serving: others[0] ?? 0, admin: others[1] ?? 0 };
}

describeWithTool(curl, 'the quick start of README.md', () => {
  let folder: TestFolder;
  let clone: string;
  let ports: Ports;

  beforeAll(async () => {
    folder = new TestFolder();
    clone = folder.path;
    ports = await portsForPage();
    cpSync(join(REPOSITORY, 'package.json'), join(clone, 'package.json'));
    cpSync(join(REPOSITORY, 'examples/shelf-scan'), join(clone, 'examples/shelf-scan'), {
      recursive: true,
      filter: (path) => !['.equipoise', 'node_modules'].includes(basename(path)),
    });
    symlinkSync(join(REPOSITORY, 'node_modules'), join(clone, 'node_modules'));
  });

  afterAll(() => folder.remove());

  const type = (command: string) =>
    new RunningCommand(clone, ['-c', onPorts(command, ports)], { path: 'bash', env: environment, ownsGroup: true });
  const succeeds = async (command: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await type(command).ended;
    expect({ command, exitCode, ...(exitCode !== 0 && { stdout, stderr }) }).toEqual({ command, exitCode: 0 });
    return stdout;
  };

  it('leads to a served pipeline without a refused request', async () => {
    const { blocks, inText, urls } = sectionOf(readme, 'Serve a pipeline');
    const [first = [], second = []] = blocks;
    expect(first.filter(isServer)).toEqual(first.slice(-1));
    for (const command of first.slice(0, -1)) await succeeds(command);
    const server = type(first.at(-1) ?? '');
    await server.said(/listening on \S+/);
    await server.said(/^.*ready http.*$/m);

    const [answer = '', report = ''] = [await succeeds(second[0] ?? ''), await succeeds(second[1] ?? '')];
    expect(second).toHaveLength(2);
    expect(JSON.parse(answer)).toMatchObject({ pipeline: 'shelf-scan', outputs: expect.any(Object) });
    expect(report).not.toMatch(/503/);
    expect(inText.length).toBeGreaterThan(0);
    for (const command of inText) expect(await succeeds(command)).not.toBe('');
    const [, state = ''] = /--log (\S+)/.exec(inText.join()) ?? [];
    expect(existsSync(join(clone, state))).toBe(true);

    expect(urls.length).toBeGreaterThan(0);
    for (const url of urls) {
      const page = await fetch(onPorts(url, ports));
      expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
    }
    const metrics = await (await fetch(`http://127.0.0.1:${ports.serving}/metrics`)).text();
    const answers = new Map(
      [...metrics.matchAll(/^equipoise_answers_total\{.*code="(\w+)".*\} (\d+)$/gm)].map(([, code = '', count]) => [
        code,
        Number(count),
      ]),
    );
    // The machine may stall for longer than the SLO. Then requests are late, which is no failure.
    const { OK: answered = 0, DEADLINE_PASSED: late = 0, ...others } = Object.fromEntries(answers);
    expect(others).toEqual({});
    // Five per second for twenty seconds, by chance, and one by curl.
    expect(answered).toBeGreaterThan(50);
    expect(late).toBeLessThan(answered / 20);

    server.signal('SIGINT');
    // npm itself ends by the signal.
    expect((await server.ended).stderr).toMatch(/draining[\s\S]*stopped\n$/);
  }, 600_000);

  it('writes a pipeline to start from, whose first command exists', async () => {
    const { blocks } = sectionOf(readme, 'Bring your own model');
    const [[init = ''] = []] = blocks;
    const printed = await succeeds(init);
    const [, folder = ''] = /init (\S+)/.exec(init) ?? [];
    const [pipeline = ''] = /\S+\/pipeline\.yaml/.exec(printed) ?? [];
    expect(pipeline).toBe(`${folder}/pipeline.yaml`);
    for (const command of ['profile', 'plan', 'serve']) expect(printed).toContain(` ${command} ${pipeline}`);
    expect(existsSync(join(clone, pipeline))).toBe(true);
  }, 600_000);
});
